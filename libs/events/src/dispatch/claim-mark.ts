import type { ClaimPlace } from '../store/delivery.store.js';

/** A look from the beginning may be repeated when ten times as long as it took has gone by: a tenth of the time at most. */
const REST_PER_LOOK = 10;
const LONGEST_REST_MS = 1_000;

/**
 * Where the next claim of a handler may begin: behind what was claimed last. While a session is idle in a transaction
 * the database keeps every row that was claimed and deleted, and a claim from the beginning walks through all of them.
 * What becomes claimable behind the mark (a retry, a late commit, something urgent) is found by the next look from the
 * beginning, a second later at most.
 */
export class ClaimMark {
  private place: ClaimPlace | undefined;
  private lookAt = 0;

  /** Undefined = the claim begins at the beginning. All times are monotonic. */
  after(now: number): ClaimPlace | undefined {
    return now < this.lookAt ? this.place : undefined;
  }

  /** A claim has looked from the beginning. */
  looked(askedAt: number, answeredAt: number): void {
    this.lookAt = answeredAt + Math.min(LONGEST_REST_MS, REST_PER_LOOK * (answeredAt - askedAt));
  }

  /** Everything up to this place is claimed. */
  set(place: ClaimPlace): void {
    this.place = place;
  }

  forget(): void {
    this.place = undefined;
  }

  /** A delivery of this priority has come: the mark must not hide it. */
  admit(priority: number): void {
    if (this.place && priority < this.place.priority) this.place = undefined;
  }
}
