import type { Duration } from '../duration.js';
import type { EventMessage } from '../envelope/event-message.js';

/** Options of `@OnEvent` and `@OnDeadLetter`; all optional. `P` is the payload of the events that the handler gets. */
export interface OnEventOptions<P = unknown> {
  /** Stable name of the handler, unique per application; deliveries are kept under it. Default `Class.method`. */
  name?: string;
  /** Former names: their waiting deliveries are adopted. None may be the name or an alias of another handler. */
  aliases?: string[];
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
  /** How often it may run; what is over the limit waits and spends no attempt. Default: no limit, as with `false`. */
  rateLimit?: false | RateLimitOptions<P>;
  /** Runs once for events with the same key. Default: by the key of the event's definition; `false`: not at all. */
  idempotency?: false | IdempotencyOptions<P>;
  /**
   * Events with one ordering key run one at a time, in the order they were published in; events without a key, and those
   * of other keys, beside them. A retry keeps those behind it waiting. Default false; `true`: with the defaults below.
   */
  ordering?: boolean | OrderingOptions;
}

/** Milliseconds to wait after `attempts` failed attempts (1, 2, ...). */
export type BackoffFunction = (attempts: number) => number;
export type BackoffKind = 'fixed' | 'linear' | 'exponential' | 'quadratic';
export type JitterKind = 'none' | 'full' | 'equal';

export interface OrderingOptions {
  /**
   * What a dead letter does to the events behind it: `block` keeps them waiting until it is redriven or discarded, `skip`
   * lets them go on. Default 'block'.
   */
  onDeadLetter?: 'block' | 'skip';
}

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

/** A token bucket for each key, which starts full. `limit` and `period` are needed, here or in the module's `defaults`. */
export interface RateLimitOptions<P = unknown> {
  /** So many runs ... At least 1. */
  limit?: number;
  /** ... in this time. At least 1 ms. */
  period?: Duration;
  /** Runs at once after a quiet time. Default `limit`. */
  burst?: number;
  /**
   * What is limited on its own, e.g. the tenant; undefined or empty: this event is not limited. Default: the
   * `rateLimitKey` of the event's definition, else one limit for the whole handler.
   */
  key?: (event: EventMessage<P>) => string | undefined;
  /** `database`: one limit for the whole cluster. `memory`: one for each node. Default 'database'. */
  store?: 'memory' | 'database';
}

export interface IdempotencyOptions<P = unknown> {
  /**
   * Events with the same key are the same work; undefined or empty: this event has none. Default: the `idempotencyKey`
   * of the event's definition.
   */
  key?: (event: EventMessage<P>) => string | undefined;
  /** How long a key is remembered after its work is done. Default '24h'. */
  ttl?: Duration;
  /**
   * After this time a key whose work has never ended may be taken again. Longer than `timeout`. Default '5m', or twice
   * the timeout where that is longer.
   */
  processingTtl?: Duration;
}

/** What may stand in the module's `defaults`: all but what is for one handler. */
export type HandlerDefaults = Omit<OnEventOptions, 'name' | 'aliases'>;

/** The same, resolved once at boot. */
export interface ResolvedHandlerOptions {
  readonly aliases: readonly string[];
  readonly priority: number;
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly retry: ResolvedRetryOptions;
  readonly circuit: ResolvedCircuitOptions | false;
  readonly rateLimit: ResolvedRateLimitOptions | false;
  readonly idempotency: ResolvedIdempotencyOptions | false;
  readonly ordering: ResolvedOrderingOptions | false;
}

export interface ResolvedOrderingOptions {
  readonly onDeadLetter: 'block' | 'skip';
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

/** The key of an event, or nothing where it has none. */
export type KeyFunction = (event: EventMessage) => string | undefined;

export interface ResolvedRateLimitOptions {
  readonly limit: number;
  readonly periodMs: number;
  readonly burst: number;
  readonly key: KeyFunction | undefined;
  readonly store: 'memory' | 'database';
}

export interface ResolvedIdempotencyOptions {
  readonly key: KeyFunction | undefined;
  readonly ttlMs: number;
  readonly processingTtlMs: number;
}
