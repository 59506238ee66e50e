import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { LONGEST_TIMER_MS, namesOf, OptionReader } from '../option-reader.js';
import type {
  BackoffKind,
  CircuitOptions,
  OnEventOptions,
  ResolvedCircuitOptions,
  ResolvedHandlerOptions,
  ResolvedRetryOptions,
  RetryOptions,
} from './on-event.options.js';

/** Where the module's `defaults` stand, for messages. */
const DEFAULTS_PLACE = 'EventsModule.forRoot()';

const INITIAL_DELAY_MS = 1000;
const MAX_DELAY_MS = 300_000;

const OPTIONS = namesOf<OnEventOptions>({
  name: true,
  priority: true,
  concurrency: true,
  timeout: true,
  retry: true,
  circuit: true,
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

/** What is written in one place, checked, durations in milliseconds; what is left out there is undefined. */
type Written<T> = { readonly [K in keyof T]: T[K] | undefined };

interface WrittenOptions {
  readonly priority: number | undefined;
  readonly concurrency: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly retry: Written<ResolvedRetryOptions> | false | undefined;
  readonly circuit: Written<ResolvedCircuitOptions> | false | undefined;
}

/**
 * A handler's options over the module's `defaults` over the defaults of `OnEventOptions`, `retry` and `circuit` each
 * merged option by option; durations in milliseconds. `undefined` counts as left out. A delay that nobody wrote gives
 * way to the one that somebody did: `initialDelay` is never over `maxDelay`.
 * @param place Where `options` stand, for messages, e.g. `@OnEvent on PaymentHandler.charge`.
 * @throws InvalidOptionError for the first option that is unknown, of the wrong kind or out of range.
 */
export function resolveHandlerOptions(
  place: string,
  options: OnEventOptions = {},
  defaults: Omit<OnEventOptions, 'name'> = {},
): ResolvedHandlerOptions {
  const common = new HandlerOptionReader(DEFAULTS_PLACE, 'defaults.').read(defaults, without(OPTIONS, 'name'));
  const own = new HandlerOptionReader(place).read(options, OPTIONS);
  return {
    priority: own.priority ?? common.priority ?? 50,
    concurrency: own.concurrency ?? common.concurrency ?? 10,
    timeoutMs: own.timeoutMs ?? common.timeoutMs ?? 30_000,
    retry: mergeRetry(place, own.retry, common.retry),
    circuit: mergeCircuit(own.circuit, common.circuit),
  };
}

function mergeRetry(
  place: string,
  own: WrittenOptions['retry'],
  common: WrittenOptions['retry'],
): ResolvedRetryOptions {
  const off = own === false || (own === undefined && common === false);
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
  if (own === false || (own === undefined && common === false)) return false;
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

/** Option by option; `false` stands for nothing written. */
function merge<T extends object>(own: T | false | undefined, common: T | false | undefined): Partial<T> {
  const written = Object.entries(own || {}).filter(([, value]) => value !== undefined);
  return { ...(common || undefined), ...(Object.fromEntries(written) as Partial<T>) };
}

/** Checks what is written in one place. */
class HandlerOptionReader extends OptionReader {
  read(options: OnEventOptions, known: readonly string[]): WrittenOptions {
    this.names('', options, known);
    return {
      priority: this.count('priority', options.priority, 0, 100),
      concurrency: this.count('concurrency', options.concurrency),
      timeoutMs: this.duration('timeout', options.timeout, 1, LONGEST_TIMER_MS),
      retry: options.retry === undefined || options.retry === false ? options.retry : this.retry(options.retry),
      circuit:
        options.circuit === undefined || options.circuit === false ? options.circuit : this.circuit(options.circuit),
    };
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

function without(names: readonly string[], name: string): string[] {
  return names.filter((one) => one !== name);
}
