/**
 * Freezes JSON data all the way down, in place. Instances of classes, which a schema may have made of it, stay as they
 * are. A loop and not a recursion: what other programs wrote into the inbox may be nested deeper than the stack.
 */
export function deepFreeze<T>(value: T): T {
  const open: object[] = [];
  freeze(value, open);
  for (let next = open.pop(); next; next = open.pop()) {
    if (Array.isArray(next)) {
      for (const part of next) freeze(part, open);
    } else {
      for (const key in next) freeze((next as Record<string, unknown>)[key], open);
    }
  }
  return value;
}

/** What is frozen already is done, or on its way: so a cycle ends. */
function freeze(value: unknown, open: object[]): void {
  if (isData(value) && !Object.isFrozen(value)) open.push(Object.freeze(value));
}

function isData(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
