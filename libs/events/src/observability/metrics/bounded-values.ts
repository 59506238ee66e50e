/** Label values of which anybody may invent new ones: so many are kept apart, first come, first served. */
export class BoundedValues {
  private readonly known = new Set<string>();

  constructor(
    private readonly most: number,
    private readonly others: string,
  ) {}

  of(value: string): string {
    if (this.known.has(value)) return value;
    if (this.known.size >= this.most) return this.others;
    this.known.add(value);
    return value;
  }
}
