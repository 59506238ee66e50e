import type { DeadLetterRecord, DeadReason } from './records.js';

/** Which dead letters; conditions are ANDed, an empty filter means all (the service above refuses it by accident). */
export interface DeadLetterQuery {
  readonly ids?: readonly number[];
  readonly eventId?: string;
  readonly eventType?: string;
  readonly handler?: string;
  readonly reason?: DeadReason;
  /** Died at or after, epoch milliseconds. */
  readonly since?: number;
  /** Died before, epoch milliseconds. */
  readonly until?: number;
  /** In the record of some failure (name, message, stack, causes); exact, as JSON writes it. */
  readonly errorText?: string;
}

/** At which times redriven letters become pending: the first at `startAt`, each one `everyMs` after the one before. */
export interface RedrivePace {
  readonly startAt: number;
  readonly everyMs: number;
}

/** Deliveries that will not be tried again. */
export interface DeadLetterStore {
  /** By id, descending (newest deliveries first), those with an id below `before`, at most `limit`. */
  listDeadLetters(query: DeadLetterQuery, limit: number, before?: number): Promise<DeadLetterRecord[]>;
  countDeadLetters(query: DeadLetterQuery): Promise<number>;

  /**
   * Puts dead letters back into the live table as pending: same id, attempts and crashes 0, claims going on from what they were, failures kept.
   * Atomic and fenced: of two callers at once each letter is redriven by one. At most `limit`, oldest id first.
   * With `pace` those whose time is still to come are `scheduled`. In a lane each is where it was, by its event's `seq`.
   * Answers the ids redriven.
   */
  redrive(query: DeadLetterQuery, limit: number, now: number, pace?: RedrivePace): Promise<number[]>;

  /** Deletes dead letters for good, at most `limit`, oldest id first; lanes that they blocked go on. Answers the ids. */
  discard(query: DeadLetterQuery, limit: number): Promise<number[]>;
}
