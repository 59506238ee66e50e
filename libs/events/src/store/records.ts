/**
 * What the store keeps, as plain data. All times are epoch milliseconds by the injected clock; payload and headers
 * are JSON texts, parsed by nobody but the envelope. `seq`, delivery ids and node ids are positive safe integers.
 */

/** An event to be appended. Publish has validated it already. */
export interface NewEvent {
  /** Unique, 1..255 characters. */
  readonly id: string;
  /** The publisher has just made the id up: nobody else has it, and a store need not look for it. Default false. */
  readonly generatedId?: boolean;
  readonly type: string;
  readonly version: number;
  /** JSON text. */
  readonly payload: string;
  /** JSON text of an object of strings; null when there are none. */
  readonly headers: string | null;
  readonly orderingKey: string | null;
  /** The publish option or the definition's; null leaves it to each handler. */
  readonly priority: number | null;
  readonly occurredAt: number;
  /** Not delivered before this moment; null = at once. */
  readonly availableAt: number | null;
  /** The fan-out, made from the caller's copy of the cluster registry; used only if that copy is current. */
  readonly deliveries: readonly NewDelivery[];
}

/** One handler's share of an event. */
export interface NewDelivery {
  readonly handler: string;
  readonly priority: number;
  /** Null unless the handler orders. */
  readonly orderingKey: string | null;
}

/** An event as stored. */
export interface StoredEvent {
  /** Its place in the inbox. */
  readonly seq: number;
  readonly id: string;
  readonly type: string;
  readonly version: number;
  /** JSON text; null when a claim left it out because it is large: read it with `payload(seq)`. */
  readonly payload: string | null;
  readonly headers: string | null;
  readonly orderingKey: string | null;
  readonly priority: number | null;
  readonly occurredAt: number;
  readonly receivedAt: number;
}

/** A raw event, as the processor needs it to make its deliveries. */
export interface RawEvent {
  readonly seq: number;
  readonly type: string;
  readonly orderingKey: string | null;
  readonly priority: number | null;
}

/** Right to run one delivery once: (node, claims) fences every write about it. `claims` only ever grows. */
export interface Lease {
  readonly id: number;
  readonly claims: number;
}

/** A lease as the store knows it, with what is needed to give it back. */
export interface HeldLease extends Lease {
  readonly handler: string;
  readonly seq: number;
  readonly rateSlot: number | null;
}

/** A delivery leased to a node, together with its event. */
export interface ClaimedDelivery extends Lease {
  readonly handler: string;
  readonly priority: number;
  /** Attempts spent so far. */
  readonly attempts: number;
  /** How many nodes died with it. Above 0 it is a suspect: a node runs at most one suspect at a time. */
  readonly crashes: number;
  /** It has a token of its handler's rate limit, good from this moment on; null = it must take one. */
  readonly rateSlot: number | null;
  /**
   * Since when it could have been claimed, its lane apart: since its event was received (`receivedAt`); if it has waited
   * for a moment (delay, retry, snooze, paced redrive), since that moment, whenever it was staged; if it was redriven at
   * once, since then. A release, a lost lease, a rescue or another handler's adoption changes nothing about it.
   */
  readonly dueAt: number;
  /** Its lane, by ordering key; null = it is in none. */
  readonly lane: string | null;
  readonly event: StoredEvent;
}

/** One failed attempt, as kept in `errors` (one JSON object a line). */
export interface AttemptFailure {
  /** When it ended, epoch milliseconds. */
  readonly at: number;
  /** Which attempt, from 1. */
  readonly attempt: number;
  /** Error name, `node-lost` when the node died. */
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  /** Causes, outermost first. */
  readonly causes?: readonly { readonly name: string; readonly message: string; readonly stack?: string }[];
  readonly durationMs?: number;
  /** Label of the node that ran it. */
  readonly node: string;
  /** Its span, as W3C Trace Context writes a `traceparent`, if one was kept. */
  readonly trace?: string;
}

/** Why a dead letter is one. */
export type DeadReason = 'exhausted' | 'rejected' | 'expired';

/** How a delivery left the live table without dying. */
export type CompletionOutcome = 'completed' | 'duplicate' | 'cancelled';

/** What one attempt came to, ready to be written. */
export type Settlement = Lease & {
  readonly seq: number;
  readonly handler: string;
  /** Must be given for a delivery in a lane: that of its claim. The lane goes on by this settlement, or waits by it. */
  readonly lane?: string | null;
  /**
   * The idempotency key that the attempt has claimed. If it is still `processing` and this delivery's, it becomes, in the
   * same transaction, `completed` when the outcome is, else `failed`, and is remembered until `expiresAt`.
   */
  readonly key?: { readonly key: string; readonly expiresAt: number };
} & SettlementOutcome;

export type SettlementOutcome =
  /** Leaves the live table for history. `attempts` = attempts + crashes spent in all. */
  | { readonly outcome: CompletionOutcome; readonly attempts: number; readonly durationMs: number }
  /** Charges an attempt, appends the failure, waits until `availableAt`. */
  | { readonly outcome: 'retry'; readonly availableAt: number; readonly failure: AttemptFailure }
  /** Waits until `availableAt`; nothing is charged. With `rateSlot` it has a token when it comes back. */
  | { readonly outcome: 'snoozed'; readonly availableAt: number; readonly rateSlot?: number | null }
  /** Given back, to be claimed again at once; nothing is charged. `rateSlot` as above. */
  | { readonly outcome: 'released'; readonly rateSlot?: number | null }
  /** Leaves the live table for the dead letters. `failure` is null when the last failure is recorded already (a crash). */
  | { readonly outcome: 'dead'; readonly reason: DeadReason; readonly failure: AttemptFailure | null };

/** State of a delivery, derived from its row (or from the table it has moved to). */
export type DeliveryState = 'pending' | 'scheduled' | 'processing' | 'completed' | 'duplicate' | 'cancelled' | 'dead';

/** A delivery as operators see it, live or finished. */
export interface DeliveryRecord {
  readonly id: number;
  readonly seq: number;
  readonly handler: string;
  readonly state: DeliveryState;
  /** Attempts spent, crashes included. */
  readonly attempts: number;
  /** Due time of a `scheduled` delivery. */
  readonly availableAt: number | null;
  /** When a finished delivery finished. */
  readonly finishedAt: number | null;
  /** Run time of the last attempt of a finished delivery. */
  readonly durationMs: number | null;
  /** Why it is `dead`. */
  readonly reason: DeadReason | null;
  /** Of the attempts so far, kept when it has finished. */
  readonly failures: readonly AttemptFailure[];
}

export interface DeadLetterRecord {
  /** The delivery's id. */
  readonly id: number;
  readonly handler: string;
  readonly reason: DeadReason;
  /** Attempts spent, crashes included. */
  readonly attempts: number;
  readonly failures: readonly AttemptFailure[];
  readonly diedAt: number;
  readonly event: StoredEvent;
}

/** A handler as a node announces it. */
export interface HandlerRegistration {
  readonly name: string;
  readonly priority: number;
  /** Its deliveries of events with an ordering key are in lanes. */
  readonly ordered: boolean;
  /** Whether a dead letter keeps its lane waiting. */
  readonly onDeadLetter: 'block' | 'skip';
  /** Event-type patterns as written. */
  readonly patterns: readonly string[];
  /** Former names. */
  readonly aliases?: readonly string[];
}

/** The cluster's handlers at one version of the registry: what fan-out is made from. */
export interface RegistrySnapshot {
  readonly version: number;
  readonly handlers: readonly RegisteredHandler[];
}

export interface RegisteredHandler {
  readonly name: string;
  readonly priority: number;
  readonly ordered: boolean;
  readonly paused: boolean;
  /** Union over the nodes that have it. */
  readonly patterns: readonly string[];
}

export interface NodeRegistration {
  /** The `nodeId` option, or host and pid. */
  readonly label: string;
  readonly host: string;
  readonly pid: number;
}

export interface NodeRecord extends NodeRegistration {
  readonly id: number;
  /** Counter, +1 at each heartbeat. */
  readonly beat: number;
  readonly startedAt: number;
}

/** Events that are stored raw: the processor still owes them their deliveries. */
export interface Unprocessed {
  readonly count: number;
  /** `receivedAt` of the one that was stored first; null when there is none. */
  readonly oldestReceivedAt: number | null;
}

/** Backlog of one handler. */
export interface HandlerBacklog {
  readonly handler: string;
  readonly pending: number;
  readonly scheduled: number;
  readonly processing: number;
  readonly dead: number;
  /** `receivedAt` of the oldest event with a pending delivery. */
  readonly oldestPendingAt: number | null;
}
