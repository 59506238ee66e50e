/** A binary heap: `push` and `pop` in O(log n), the first by `before` on top. */
export class Heap<T> {
  private readonly items: T[] = [];

  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get first(): T | undefined {
    return this.items[0];
  }

  push(item: T): void {
    let hole = this.items.length;
    this.items.push(item);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.before(item, this.at(parent))) break;
      this.items[hole] = this.at(parent);
      hole = parent;
    }
    this.items[hole] = item;
  }

  pop(): T | undefined {
    const first = this.items[0];
    const last = this.items.pop();
    if (last === undefined || this.items.length === 0) return first;
    let hole = 0;
    for (let child = 1; child < this.items.length; child = 2 * hole + 1) {
      if (child + 1 < this.items.length && this.before(this.at(child + 1), this.at(child))) child++;
      if (!this.before(this.at(child), last)) break;
      this.items[hole] = this.at(child);
      hole = child;
    }
    this.items[hole] = last;
    return first;
  }

  private at(index: number): T {
    return this.items[index];
  }
}
