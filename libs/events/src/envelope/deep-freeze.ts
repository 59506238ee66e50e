/**
 * Freezes JSON data all the way down, in place. Instances of classes, which a schema may have made of it, stay as they
 * are. A loop and not a recursion: what other programs wrote into the inbox may be nested deeper than the stack.
 */
export function deepFreeze<T>(value: T): T {
  if (!isData(value)) return value;
  const open: object[] = [value];
  for (let next = open.pop(); next; next = open.pop()) {
    Object.freeze(next);
    for (const part of Array.isArray(next) ? next : Object.values(next)) {
      if (isData(part) && !Object.isFrozen(part)) open.push(part);
    }
  }
  return value;
}

function isData(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
