import { inspect, isDeepStrictEqual } from 'node:util';

/**
 * Where `actual` is not what is expected, as texts such as `payload.amount: expected 5, was 7`; none = it matches. Of
 * an object only the expected properties are looked at, at any depth; a list must have as many elements; a RegExp fits
 * texts; the test framework's own matchers (`expect.any(...)`) are asked.
 */
export function mismatches(expected: unknown, actual: unknown, path = ''): string[] {
  if (isMatcher(expected)) return expected.asymmetricMatch(actual) ? [] : [differs(path, expected, actual)];
  if (expected instanceof RegExp) {
    return typeof actual === 'string' && new RegExp(expected).test(actual) ? [] : [differs(path, expected, actual)];
  }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return [differs(path, expected, actual)];
    return expected.flatMap((one: unknown, index) => mismatches(one, actual[index], `${path}[${index}]`));
  }
  if (isPlain(expected) && typeof actual === 'object' && actual !== null && !Array.isArray(actual)) {
    return Object.entries(expected).flatMap(([key, value]) =>
      mismatches(value, (actual as Record<string, unknown>)[key], path === '' ? key : `${path}.${key}`),
    );
  }
  return isDeepStrictEqual(expected, actual) ? [] : [differs(path, expected, actual)];
}

function differs(path: string, expected: unknown, actual: unknown): string {
  return `${path === '' ? '' : `${path}: `}expected ${show(expected)}, was ${show(actual)}`;
}

/** On one line, however large. */
export function show(value: unknown): string {
  const text = inspect(value, { depth: 6, breakLength: Infinity, maxArrayLength: 20, maxStringLength: 200 });
  return text.length > 400 ? `${text.slice(0, 400)}...` : text;
}

function isMatcher(value: unknown): value is { asymmetricMatch(actual: unknown): boolean } {
  return typeof (value as { asymmetricMatch?: unknown } | null | undefined)?.asymmetricMatch === 'function';
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
