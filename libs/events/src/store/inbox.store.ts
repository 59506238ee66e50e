import type { EntityManager } from 'typeorm';
import type { ClaimRequest } from './delivery.store.js';
import type {
  ClaimedDelivery,
  DeliveryRecord,
  NewDelivery,
  NewEvent,
  RawEvent,
  StoredEvent,
  Unprocessed,
} from './records.js';

export interface AppendRequest {
  readonly events: readonly NewEvent[];
  /** Version of the registry that `deliveries` were made from. */
  readonly registryVersion: number;
  readonly now: number;
  /**
   * How long it waits for each lock that another transaction holds: on an ordering key, on an id that is not committed
   * yet. Then it fails with LockTimeoutError. MySQL counts in seconds. Default: as long as any verb; always so where there
   * is one writer at a time, and together with `manager`.
   */
  readonly lockWaitMs?: number;
  /** The commit tells other nodes of `work`, if the database can: sooner and cheaper than `notify` after it. Default false. */
  readonly tell?: boolean;
  /**
   * A claim for the same commit: once the events are stored, deliveries are leased as `claim` would lease them then, these
   * or older ones. Not together with `manager`: what an outer transaction may still undo must not run.
   */
  readonly claim?: ClaimRequest;
}

export interface AppendResult {
  /** Per event, in the order given: false = its id was in the inbox already (or earlier in this call), nothing was written. */
  readonly stored: readonly boolean[];
  /** False = the registry has moved on: the events are stored raw and the processor owes their deliveries. */
  readonly fannedOut: boolean;
  /** What `claim` has brought, as that verb answers. Undefined = none was asked for, or the store leaves it to that verb. */
  readonly claimed?: readonly ClaimedDelivery[] | null;
}

export interface FanOutRequest {
  /** At most this many events. */
  readonly limit: number;
  readonly registryVersion: number;
  readonly now: number;
  /** Makes the deliveries of one event. Called inside the transaction; must not wait or throw. */
  readonly match: (event: RawEvent) => readonly NewDelivery[];
}

export interface FanOutResult {
  /** Events that are raw no longer. */
  readonly events: number;
  readonly deliveries: number;
  /** Types of the events that matched no handler, one entry an event. */
  readonly unhandled: readonly string[];
  /** True = the registry has moved on; nothing was done. Load it and ask again. */
  readonly stale: boolean;
}

/** Events, from publish to fan-out. */
export interface InboxStore {
  /**
   * Appends events and, if `registryVersion` is current, their deliveries, all or nothing. With `manager` it is part of
   * that open transaction, on its connection; without, it has committed when the promise resolves. An event without
   * deliveries (nobody subscribes) counts as fanned out. Events with an ordering key get their `seq` in commit order
   * among events of that key: whoever appends the same key later in another transaction waits for this one to end.
   * Order of `seq` within a call is the order given. An event with `availableAt` later than now makes `scheduled` deliveries.
   */
  append(request: AppendRequest, manager?: EntityManager): Promise<AppendResult>;

  /**
   * Fans out raw events, oldest first, in one transaction. Each raw event is fanned out by exactly one caller, however
   * many ask at once; events that another caller is fanning out are passed over, not waited for. The event's own
   * `availableAt` makes its deliveries `scheduled`.
   */
  fanOut(request: FanOutRequest): Promise<FanOutResult>;

  /** How many events are raw, and since when. One statement, by an index that has the raw events only. */
  unprocessed(): Promise<Unprocessed>;

  /** The event with this id, payload included, or null. */
  findEvent(id: string): Promise<StoredEvent | null>;

  /** All deliveries of the event with this id: live, finished and dead, by id. Empty when there are none. */
  findDeliveries(eventId: string): Promise<DeliveryRecord[]>;

  /** The payload of an event, or null when the event is gone. */
  payload(seq: number): Promise<string | null>;
}
