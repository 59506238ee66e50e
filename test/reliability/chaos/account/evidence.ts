import type { PlannedEvent, PublishRoute } from '../journal-lines.js';

/** What is in the database when everything has come to rest. */
export interface Tables {
  readonly business: readonly string[];
  readonly effects: readonly { readonly event: string; readonly handler: string; readonly run: string }[];
  readonly inbox: readonly InboxRow[];
  readonly live: readonly (DeliveryRow & { readonly state: string })[];
  readonly completions: readonly (DeliveryRow & { readonly outcome: string })[];
  readonly deadLetters: readonly (DeliveryRow & { readonly reason: string; readonly errors: string })[];
}

export interface InboxRow {
  readonly seq: number;
  readonly id: string;
  readonly orderingKey: string | undefined;
  readonly raw: boolean;
}

interface DeliveryRow {
  readonly seq: number;
  readonly handler: string;
}

/** What the journals say. All times are microseconds of one monotonic clock. */
export interface Journals {
  readonly transactions: readonly PublishedTransaction[];
  readonly runs: readonly Run[];
  readonly processes: ReadonlyMap<string, ProcessLife>;
}

export interface PublishedTransaction {
  readonly tx: string;
  readonly route: PublishRoute;
  readonly events: readonly PlannedEvent[];
  readonly beganAt: number;
  /** Absent: its process was ended before it knew. */
  readonly endedAt?: number;
  readonly result: 'committed' | 'rolled-back' | 'unknown';
}

/** One run of a handler. */
export interface Run {
  readonly run: string;
  readonly process: string;
  readonly delivery: string;
  readonly event: string;
  readonly handler: string;
  readonly beganAt: number;
  /** The last moment before the commit, or before it returned. */
  readonly doneAt?: number;
  readonly abortedAt?: number;
  readonly endedAt?: number;
}

export interface ProcessLife {
  /** When it was killed, or its end was noticed. */
  readonly endedAt?: number;
  /** Times in which it could not do anything. */
  readonly silences: readonly Silence[];
}

export interface Silence {
  readonly from: number;
  readonly to: number;
}

export interface Evidence extends Journals {
  readonly tables: Tables;
}
