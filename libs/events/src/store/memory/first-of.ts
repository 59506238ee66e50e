/** The first `limit` of `items` that pass; looks no further than it must. */
export function firstOf<T>(items: Iterable<T>, limit: number, passes: (item: T) => boolean = () => true): T[] {
  const found: T[] = [];
  for (const item of items) {
    if (found.length >= limit) break;
    if (passes(item)) found.push(item);
  }
  return found;
}
