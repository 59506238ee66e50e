/** Lets at most `permits` run at once; the others wait, first come first served. */
export class Semaphore {
  private readonly waiting: (() => void)[] = [];

  constructor(private permits: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.permits > 0) this.permits--;
    else await new Promise<void>((granted) => this.waiting.push(granted));
    try {
      return await work();
    } finally {
      // A permit is handed on, not put back: whoever comes between could overtake.
      const next = this.waiting.shift();
      if (next) next();
      else this.permits++;
    }
  }
}
