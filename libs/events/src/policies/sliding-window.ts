/** How many buckets make a window: its precision is one hundredth of its length. */
const BUCKETS = 100;

/**
 * Counts calls and failures of the last `windowMs` milliseconds in constant memory and, spread over the calls, constant
 * time.
 *
 * Calls are kept in buckets of a hundredth of the window. A bucket begins with its first call, takes the calls of the
 * next `windowMs / 100`, and leaves as a whole when its first call is `windowMs` old. So a call never stays longer than
 * the window, may leave up to a hundredth of it early when calls are dense, and leaves exactly on time when they are not.
 */
export class SlidingWindow {
  /** Calls in the window as of the last `record`. */
  calls = 0;
  /** Failures among them. */
  failures = 0;

  private readonly bucketMs: number;
  /** A ring: bucket k is at k % (BUCKETS + 1); starts lie at least bucketMs apart, so no more are ever alive. */
  private readonly startedAt = new Float64Array(BUCKETS + 1);
  private readonly callsIn = new Float64Array(BUCKETS + 1);
  private readonly failuresIn = new Float64Array(BUCKETS + 1);
  private oldest = 0;
  private length = 0;

  /** @param windowMs over 0. */
  constructor(private readonly windowMs: number) {
    this.bucketMs = windowMs / BUCKETS;
  }

  /** @param now milliseconds that never go back. */
  record(failed: boolean, now: number): void {
    this.expire(now);
    let newest = this.at(this.length - 1);
    if (this.length === 0 || now - this.startedAt[newest] >= this.bucketMs) {
      newest = this.at(this.length++);
      this.startedAt[newest] = now;
      this.callsIn[newest] = 0;
      this.failuresIn[newest] = 0;
    }
    this.callsIn[newest] += 1;
    this.calls += 1;
    if (failed) {
      this.failuresIn[newest] += 1;
      this.failures += 1;
    }
  }

  clear(): void {
    this.calls = this.failures = this.length = 0;
  }

  private expire(now: number): void {
    while (this.length > 0 && now - this.startedAt[this.oldest] >= this.windowMs) {
      this.calls -= this.callsIn[this.oldest];
      this.failures -= this.failuresIn[this.oldest];
      this.oldest = this.at(1);
      this.length -= 1;
    }
  }

  private at(position: number): number {
    return (this.oldest + position + BUCKETS + 1) % (BUCKETS + 1);
  }
}
