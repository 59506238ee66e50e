/** Label values by their names. */
export function namedLabels(names: readonly string[], values: readonly string[]): { [name: string]: string } {
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}
