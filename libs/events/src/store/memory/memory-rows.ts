import type { CompletionOutcome, DeadReason, NewEvent, StoredEvent } from '../records.js';

/** Payloads above this are left out of a claim, in bytes. */
const LARGE_PAYLOAD_BYTES = 65_536;

/** An event in the inbox. */
export interface EventRow {
  readonly stored: StoredEvent & { readonly payload: string };
  readonly availableAt: number | null;
  readonly large: boolean;
  /** All there are, wherever they have got to, in order of their ids. */
  readonly deliveries: Set<DeliveryRow>;
}

/** One delivery for all its life: the maps of the database say where it stands, `state` says what it is. */
export interface DeliveryRow {
  readonly id: number;
  readonly event: EventRow;
  /** Changes when the handler is adopted by another. */
  handler: string;
  readonly priority: number;
  /** Names its lane; null when it is in none. */
  orderingKey: string | null;
  /** Pending, but not worth a look before its lane has moved on. Only while the lane has a member before it, or one that is leased. */
  parked: boolean;
  /** A dead letter that keeps its lane waiting. */
  blocks: boolean;
  /** `gone` when it was pruned or discarded. A queue passes over rows that have another state than it holds. */
  state: 'pending' | 'scheduled' | 'processing' | 'dead' | 'gone' | CompletionOutcome;
  availableAt: number | null;
  /** Since when it could have been claimed. */
  dueAt: number;
  /** Set while `processing`. */
  leaseNode: number | null;
  claims: number;
  attempts: number;
  crashes: number;
  /** From when on it has a token of its handler's rate limit. */
  rateSlot: number | null;
  /** JSON texts: nobody can change them from outside, and what JSON drops is dropped here as on any database. */
  failures: string[];
  /** Set when it is finished or dead. */
  end: {
    readonly at: number;
    readonly attempts: number;
    readonly durationMs: number | null;
    readonly reason: DeadReason | null;
  } | null;
}

export function eventRow(event: NewEvent, seq: number, receivedAt: number): EventRow {
  const { id, type, version, payload, headers, orderingKey, priority, occurredAt, availableAt } = event;
  return {
    stored: { seq, id, type, version, payload, headers, orderingKey, priority, occurredAt, receivedAt },
    availableAt,
    large: Buffer.byteLength(payload) > LARGE_PAYLOAD_BYTES,
    deliveries: new Set(),
  };
}
