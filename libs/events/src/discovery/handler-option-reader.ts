import { LONGEST_TIMER_MS, namesOf, OptionReader } from '../option-reader.js';
import { HANDLER_NAME, isHandlerName } from './handler-names.js';
import type {
  BackoffKind,
  CircuitOptions,
  IdempotencyOptions,
  OnEventOptions,
  OrderingOptions,
  RateLimitOptions,
  ResolvedCircuitOptions,
  ResolvedIdempotencyOptions,
  ResolvedOrderingOptions,
  ResolvedRateLimitOptions,
  ResolvedRetryOptions,
  RetryOptions,
} from './on-event.options.js';

export const HANDLER_OPTIONS = namesOf<OnEventOptions>({
  name: true,
  aliases: true,
  priority: true,
  concurrency: true,
  timeout: true,
  retry: true,
  circuit: true,
  rateLimit: true,
  idempotency: true,
  ordering: true,
});
const RETRY_OPTIONS = namesOf<RetryOptions>({
  maxAttempts: true,
  backoff: true,
  initialDelay: true,
  maxDelay: true,
  jitter: true,
  retryIf: true,
});
const CIRCUIT_OPTIONS = namesOf<CircuitOptions>({
  failureThreshold: true,
  failureRate: true,
  successThreshold: true,
  openDuration: true,
  window: true,
  halfOpenConcurrency: true,
});
const RATE_LIMIT_OPTIONS = namesOf<RateLimitOptions>({
  limit: true,
  period: true,
  burst: true,
  key: true,
  store: true,
});
const ORDERING_OPTIONS = namesOf<OrderingOptions>({ onDeadLetter: true });
const IDEMPOTENCY_OPTIONS = namesOf<IdempotencyOptions>({ key: true, ttl: true, processingTtl: true });

/** What is written in one place, checked, durations in milliseconds; what is left out there is undefined. */
export type Written<T> = { readonly [K in keyof T]: T[K] | undefined };

export interface WrittenOptions {
  readonly aliases: readonly string[] | undefined;
  readonly priority: number | undefined;
  readonly concurrency: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: Written<ResolvedRetryOptions> | false | undefined;
  readonly circuit: Written<ResolvedCircuitOptions> | false | undefined;
  readonly rateLimit: Written<ResolvedRateLimitOptions> | false | undefined;
  readonly idempotency: Written<ResolvedIdempotencyOptions> | false | undefined;
  readonly ordering: Written<ResolvedOrderingOptions> | false | undefined;
}

/** Checks what is written in one place. */
export class HandlerOptionReader extends OptionReader {
  read(options: OnEventOptions, known: readonly string[]): WrittenOptions {
    this.names('', options, known);
    return {
      aliases: this.aliases(options.aliases),
      priority: this.count('priority', options.priority, 0, 100),
      concurrency: this.count('concurrency', options.concurrency),
      timeoutMs: this.duration('timeout', options.timeout, 1, LONGEST_TIMER_MS),
      retry: this.part(options.retry, (retry) => this.retry(retry)),
      circuit: this.part(options.circuit, (circuit) => this.circuit(circuit)),
      rateLimit: this.part(options.rateLimit, (rateLimit) => this.rateLimit(rateLimit)),
      idempotency: this.part(options.idempotency, (idempotency) => this.idempotency(idempotency)),
      ordering: this.part(options.ordering === true ? {} : options.ordering, (ordering) => this.ordering(ordering)),
    };
  }

  /** What can be left out and switched off. */
  private part<O extends object, T>(options: O | false | undefined, read: (options: O) => T): T | false | undefined {
    return options === undefined || options === false ? options : read(options);
  }

  private aliases(value: unknown): readonly string[] | undefined {
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw this.invalid('aliases', value, 'a list of names');
    for (const [index, alias] of value.entries()) {
      if (!isHandlerName(alias)) throw this.invalid(`aliases[${index}]`, alias, HANDLER_NAME);
      if (value.indexOf(alias) < index) throw this.invalid(`aliases[${index}]`, alias, 'given once');
    }
    return [...(value as string[])];
  }

  private retry(options: RetryOptions): Written<ResolvedRetryOptions> {
    this.names('retry', options, RETRY_OPTIONS, 'an object or false');
    return {
      maxAttempts: this.count('retry.maxAttempts', options.maxAttempts),
      backoff: this.backoff(options.backoff),
      initialDelayMs: this.duration('retry.initialDelay', options.initialDelay),
      maxDelayMs: this.duration('retry.maxDelay', options.maxDelay),
      jitter: this.oneOf('retry.jitter', options.jitter, ['none', 'full', 'equal']),
      retryIf: this.callback('retry.retryIf', options.retryIf),
    };
  }

  private circuit(options: CircuitOptions): Written<ResolvedCircuitOptions> {
    this.names('circuit', options, CIRCUIT_OPTIONS, 'an object or false');
    return {
      failureThreshold: this.count('circuit.failureThreshold', options.failureThreshold),
      failureRate: this.share('circuit.failureRate', options.failureRate),
      successThreshold: this.count('circuit.successThreshold', options.successThreshold),
      openDurationMs: this.duration('circuit.openDuration', options.openDuration, 1),
      windowMs: this.duration('circuit.window', options.window, 1),
      halfOpenConcurrency: this.count('circuit.halfOpenConcurrency', options.halfOpenConcurrency),
    };
  }

  private rateLimit(options: RateLimitOptions): Written<ResolvedRateLimitOptions> {
    this.names('rateLimit', options, RATE_LIMIT_OPTIONS, 'an object or false');
    return {
      limit: this.count('rateLimit.limit', options.limit),
      periodMs: this.duration('rateLimit.period', options.period, 1),
      burst: this.count('rateLimit.burst', options.burst),
      key: this.callback('rateLimit.key', options.key),
      store: this.oneOf('rateLimit.store', options.store, ['memory', 'database']),
    };
  }

  private idempotency(options: IdempotencyOptions): Written<ResolvedIdempotencyOptions> {
    this.names('idempotency', options, IDEMPOTENCY_OPTIONS, 'an object or false');
    return {
      key: this.callback('idempotency.key', options.key),
      ttlMs: this.duration('idempotency.ttl', options.ttl, 1),
      processingTtlMs: this.duration('idempotency.processingTtl', options.processingTtl, 1),
    };
  }

  private ordering(options: OrderingOptions): Written<ResolvedOrderingOptions> {
    this.names('ordering', options, ORDERING_OPTIONS, 'true, false or an object');
    return { onDeadLetter: this.oneOf('ordering.onDeadLetter', options.onDeadLetter, ['block', 'skip']) };
  }

  private backoff(value: RetryOptions['backoff']): RetryOptions['backoff'] {
    if (typeof value === 'function') return value;
    const kinds: readonly BackoffKind[] = ['fixed', 'linear', 'exponential', 'quadratic'];
    return this.oneOf('retry.backoff', value, kinds, ', or a function');
  }

  private share(option: string, value: unknown): number | undefined {
    if (value === undefined || (typeof value === 'number' && value > 0 && value <= 1)) return value;
    throw this.invalid(option, value, 'a number over 0 and up to 1');
  }
}
