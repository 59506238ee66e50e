import { Injectable } from '@nestjs/common';

/** Stands for a partner whose contract allows so many calls a second, and no more. */
@Injectable()
export class Partner {
  private readonly calls: number[] = [];

  report(_paymentId: string): void {
    this.calls.push(performance.now());
  }

  /** Calls so far, and how many there were in the busiest second. */
  get usage(): { calls: number; busiestSecond: number } {
    let first = 0;
    let busiestSecond = 0;
    for (const [last, at] of this.calls.entries()) {
      while (at - this.calls[first] >= 1_000) first++;
      busiestSecond = Math.max(busiestSecond, last - first + 1);
    }
    return { calls: this.calls.length, busiestSecond };
  }
}
