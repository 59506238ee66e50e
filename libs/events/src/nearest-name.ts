/** The one of `names` that `written` is most likely a slip of, for error messages; undefined if none is near. */
export function nearestName(written: string, names: readonly string[]): string | undefined {
  const allowed = Math.max(2, Math.floor(written.length / 3));
  return names
    .map((name) => ({ name, slips: slips(written.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, slips }) => slips <= allowed && slips < name.length)
    .toSorted((a, b) => a.slips - b.slips)[0]?.name;
}

/** Letters to insert, delete or replace to make `a` of `b` (Levenshtein distance, row by row). */
function slips(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
