import type { Duration } from '../duration.js';

/** Options of `@OnEvent`; all optional. */
export interface OnEventOptions {
  /** Stable name of the handler, unique per application; deliveries are kept under it. Default `Class.method`. */
  name?: string;
  /** 0..100, LOWER runs first. Default 50. */
  priority?: number;
  /** How many deliveries of this handler one node runs at once. Default 10. */
  concurrency?: number;
  /** An attempt that takes longer is aborted and counts as failed. Default '30s'. */
  timeout?: Duration;
  /** `false`: one attempt only. */
  retry?: false | RetryOptions;
  /** `false`: no circuit breaker. */
  circuit?: false | CircuitOptions;
}

/** Milliseconds to wait after `attempts` failed attempts (1, 2, ...). */
export type BackoffFunction = (attempts: number) => number;
export type BackoffKind = 'fixed' | 'linear' | 'exponential' | 'quadratic';
export type JitterKind = 'none' | 'full' | 'equal';

export interface RetryOptions {
  /** ALL attempts, the first included. Default 5, at least 1. */
  maxAttempts?: number;
  /** With d = initialDelay, before attempt n+1: fixed d, linear d*n, exponential d*2^(n-1), quadratic d*n^2. Default 'exponential'. */
  backoff?: BackoffKind | BackoffFunction;
  /** Default '1s'. */
  initialDelay?: Duration;
  /** No wait is longer. Default '5m'. */
  maxDelay?: Duration;
  /** `full`: uniform 0..delay; `equal`: half + uniform half. Default 'full'. */
  jitter?: JitterKind;
  /** Answer false and the delivery is dead at once (`rejected`). `attempt` is the one that failed, from 1. */
  retryIf?: (error: unknown, attempt: number) => boolean;
}

export interface CircuitOptions {
  /** At least this many failures inside `window` ... Default 5. */
  failureThreshold?: number;
  /** ... and at least this share of the calls, over 0 up to 1. Default 0.5. */
  failureRate?: number;
  /** Successful trials that close a half-open circuit. Default 3. */
  successThreshold?: number;
  /** How long an open circuit stays open. Default '30s'. */
  openDuration?: Duration;
  /** Sliding window in which calls are counted. Default '1m'. */
  window?: Duration;
  /** Trials at a time while half-open. Default 1. */
  halfOpenConcurrency?: number;
}

/** The same, resolved once at boot. */
export interface ResolvedHandlerOptions {
  readonly priority: number;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly retry: ResolvedRetryOptions;
  readonly circuit: ResolvedCircuitOptions | false;
}

export interface ResolvedRetryOptions {
  readonly maxAttempts: number;
  readonly backoff: BackoffKind | BackoffFunction;
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  readonly jitter: JitterKind;
  readonly retryIf: ((error: unknown, attempt: number) => boolean) | undefined;
}

export interface ResolvedCircuitOptions {
  readonly failureThreshold: number;
  readonly failureRate: number;
  readonly successThreshold: number;
  readonly openDurationMs: number;
  readonly windowMs: number;
  readonly halfOpenConcurrency: number;
}
