import type { EventDefinition } from '../envelope/event-definition.js';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { HANDLER_OPTIONS, HandlerOptionReader, type WrittenOptions } from './handler-option-reader.js';
import type {
  HandlerDefaults,
  OnEventOptions,
  ResolvedCircuitOptions,
  ResolvedHandlerOptions,
  ResolvedIdempotencyOptions,
  ResolvedOrderingOptions,
  ResolvedRateLimitOptions,
  ResolvedRetryOptions,
} from './on-event.options.js';

/** Where the module's `defaults` stand, for messages. */
const DEFAULTS_PLACE = 'EventsModule.forRoot()';
const DEFAULT_OPTIONS = HANDLER_OPTIONS.filter((name) => name !== 'name' && name !== 'aliases');

const INITIAL_DELAY_MS = 1000;
const MAX_DELAY_MS = 300_000;
const KEY_TTL_MS = 86_400_000;
const PROCESSING_TTL_MS = 300_000;

/**
 * A handler's options over the module's `defaults` over the defaults of `OnEventOptions`; `retry`, `circuit`, `rateLimit`,
 * `idempotency` and `ordering` each merged option by option; durations in milliseconds. `undefined` counts as left out. A duration
 * that nobody wrote gives way to the one that somebody did: `initialDelay` is never over `maxDelay`, and
 * `processingTtl` always over `timeout`.
 * @param place Where `options` stand, for messages, e.g. `@OnEvent on PaymentHandler.charge`.
 * @param definitions Of the events that the handler gets.
 * @throws InvalidOptionError for the first option that is unknown, of the wrong kind, out of range, or missing.
 */
export function resolveHandlerOptions(
  place: string,
  options: OnEventOptions = {},
  defaults: HandlerDefaults = {},
  definitions: Iterable<EventDefinition> = [],
): ResolvedHandlerOptions {
  const common = new HandlerOptionReader(DEFAULTS_PLACE, 'defaults.').read(defaults, DEFAULT_OPTIONS);
  const own = new HandlerOptionReader(place).read(options, HANDLER_OPTIONS);
  const timeoutMs = own.timeoutMs ?? common.timeoutMs ?? 30_000;
  const idempotency = mergeIdempotency(place, own.idempotency, common.idempotency, timeoutMs);
  if (own.idempotency && idempotency && !idempotency.key && ![...definitions].some((one) => one.idempotencyKey)) {
    const expected = 'given: none of its events has a definition with an idempotencyKey';
    throw new InvalidOptionError(place, 'idempotency.key', undefined, expected);
  }
  return {
    aliases: own.aliases ?? [],
    priority: own.priority ?? common.priority ?? 50,
    concurrency: own.concurrency ?? common.concurrency ?? 10,
    timeoutMs,
    retry: mergeRetry(place, own.retry, common.retry),
    circuit: mergeCircuit(own.circuit, common.circuit),
    rateLimit: mergeRateLimit(place, own.rateLimit, common.rateLimit),
    idempotency,
    ordering: mergeOrdering(own.ordering, common.ordering),
  };
}

/**
 * Checks the module's `defaults` without a handler. A rate limit there may leave to each handler what is missing.
 * @throws InvalidOptionError
 */
export function checkHandlerDefaults(defaults: HandlerDefaults): void {
  resolveHandlerOptions(`defaults of ${DEFAULTS_PLACE}`, { rateLimit: false }, defaults);
}

function mergeRetry(
  place: string,
  own: WrittenOptions['retry'],
  common: WrittenOptions['retry'],
): ResolvedRetryOptions {
  const off = isOff(own, common);
  const written = merge(own, common);
  const { initialDelayMs, maxDelayMs } = written;
  if (initialDelayMs !== undefined && maxDelayMs !== undefined && maxDelayMs < initialDelayMs) {
    const expected = `at least retry.initialDelay (${initialDelayMs} ms)`;
    throw new InvalidOptionError(place, 'retry.maxDelay', maxDelayMs, expected);
  }
  return {
    maxAttempts: off ? 1 : (written.maxAttempts ?? 5),
    backoff: written.backoff ?? 'exponential',
    initialDelayMs: initialDelayMs ?? Math.min(INITIAL_DELAY_MS, maxDelayMs ?? INITIAL_DELAY_MS),
    maxDelayMs: maxDelayMs ?? Math.max(MAX_DELAY_MS, initialDelayMs ?? MAX_DELAY_MS),
    jitter: written.jitter ?? 'full',
    retryIf: written.retryIf,
  };
}

function mergeCircuit(
  own: WrittenOptions['circuit'],
  common: WrittenOptions['circuit'],
): ResolvedCircuitOptions | false {
  if (isOff(own, common)) return false;
  const written = merge(own, common);
  return {
    failureThreshold: written.failureThreshold ?? 5,
    failureRate: written.failureRate ?? 0.5,
    successThreshold: written.successThreshold ?? 3,
    openDurationMs: written.openDurationMs ?? 30_000,
    windowMs: written.windowMs ?? 60_000,
    halfOpenConcurrency: written.halfOpenConcurrency ?? 1,
  };
}

function mergeRateLimit(
  place: string,
  own: WrittenOptions['rateLimit'],
  common: WrittenOptions['rateLimit'],
): ResolvedRateLimitOptions | false {
  if (isOff(own, common) || (own === undefined && common === undefined)) return false;
  const { limit, periodMs, burst, key, store } = merge(own, common);
  if (limit === undefined) throw new InvalidOptionError(place, 'rateLimit.limit', limit, 'given, here or in defaults');
  if (periodMs === undefined) {
    throw new InvalidOptionError(place, 'rateLimit.period', periodMs, 'given, here or in defaults');
  }
  return { limit, periodMs, burst: burst ?? limit, key, store: store ?? 'database' };
}

function mergeIdempotency(
  place: string,
  own: WrittenOptions['idempotency'],
  common: WrittenOptions['idempotency'],
  timeoutMs: number,
): ResolvedIdempotencyOptions | false {
  if (isOff(own, common)) return false;
  const { key, ttlMs, processingTtlMs } = merge(own, common);
  // Else another delivery could take the key from one that is still running.
  if (processingTtlMs !== undefined && processingTtlMs <= timeoutMs) {
    const expected = `longer than timeout (${timeoutMs} ms)`;
    throw new InvalidOptionError(place, 'idempotency.processingTtl', processingTtlMs, expected);
  }
  return {
    key,
    ttlMs: ttlMs ?? KEY_TTL_MS,
    processingTtlMs: processingTtlMs ?? Math.max(PROCESSING_TTL_MS, 2 * timeoutMs),
  };
}

function mergeOrdering(
  own: WrittenOptions['ordering'],
  common: WrittenOptions['ordering'],
): ResolvedOrderingOptions | false {
  if (isOff(own, common) || (own === undefined && common === undefined)) return false;
  return { onDeadLetter: merge(own, common).onDeadLetter ?? 'block' };
}

function isOff<T>(own: T | false | undefined, common: T | false | undefined): boolean {
  return own === false || (own === undefined && common === false);
}

/** Option by option; `false` stands for nothing written. */
function merge<T extends object>(own: T | false | undefined, common: T | false | undefined): Partial<T> {
  const written = Object.entries(own || {}).filter(([, value]) => value !== undefined);
  return { ...(common || undefined), ...(Object.fromEntries(written) as Partial<T>) };
}
