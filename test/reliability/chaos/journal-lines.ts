/** Lines of the journals. `at` is in microseconds of the machine's monotonic clock, which all processes share. */
export type JournalLine = PublisherLine | RunLine | ProcessLine;

export type PublisherLine =
  /** Before anything is sent. */
  | {
      readonly kind: 'begin-transaction';
      readonly at: number;
      readonly tx: string;
      readonly route: PublishRoute;
      readonly events: readonly PlannedEvent[];
    }
  /** `unknown`: it threw what it should not; only the database knows. */
  | {
      readonly kind: 'end-transaction';
      readonly at: number;
      readonly tx: string;
      readonly result: 'committed' | 'rolled-back' | 'unknown';
      readonly error?: string;
    };

/**
 * `ambient`: `publisher.transaction`; `manager`: a transaction of the application's own DataSource, named to the publish;
 * both with a row in `business`. `all` and `single` commit on their own.
 */
export type PublishRoute = 'ambient' | 'manager' | 'all' | 'single';

export interface PlannedEvent {
  readonly id: string;
  readonly type: string;
  readonly orderingKey?: string;
  readonly priority?: number;
  readonly delayMs?: number;
}

export type RunLine =
  | {
      readonly kind: 'begin';
      readonly at: number;
      readonly run: string;
      readonly delivery: string;
      readonly event: string;
      readonly handler: string;
      readonly orderingKey?: string;
      readonly attempt: number;
      readonly pid: number;
      readonly epochMs: number;
    }
  /** The work is done but not settled: the last line before the commit, or before the handler returns. */
  | { readonly kind: 'done'; readonly at: number; readonly run: string }
  /** The run was told to stop: it is outside its lease from here on. */
  | { readonly kind: 'abort'; readonly at: number; readonly run: string; readonly why: string }
  | { readonly kind: 'end'; readonly at: number; readonly run: string; readonly error?: string };

export type ProcessLine =
  /** A process saw that its own event loop stood still. */
  | { readonly kind: 'stall'; readonly at: number; readonly sinceUs: number }
  /** Written by the driver, of another process. */
  | { readonly kind: 'start'; readonly at: number; readonly process: string; readonly pid: number }
  | { readonly kind: 'stop'; readonly at: number; readonly process: string }
  | { readonly kind: 'continue'; readonly at: number; readonly process: string }
  | { readonly kind: 'kill'; readonly at: number; readonly process: string }
  | { readonly kind: 'exit'; readonly at: number; readonly process: string; readonly how: string }
  | { readonly kind: 'cut'; readonly at: number; readonly what: string };
