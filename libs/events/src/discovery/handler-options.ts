import { parseDuration } from '../duration.js';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { nearestName } from '../nearest-name.js';
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

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Keeps any moment that is this far from now a safe integer and a valid Date. */
const LONGEST_DURATION_MS = 2 ** 52;
const LARGEST_COUNT = 2 ** 31 - 1;

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
  const common = new OptionReader(DEFAULTS_PLACE, 'defaults.').read(defaults, without(OPTIONS, 'name'));
  const own = new OptionReader(place, '').read(options, OPTIONS);
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
class OptionReader {
  constructor(
    private readonly place: string,
    /** Before each option's name in messages. */
    private readonly prefix: string,
  ) {}

  read(options: OnEventOptions, known: readonly string[]): WrittenOptions {
    this.checkNames('', options, known);
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
    this.checkNames('retry', options, RETRY_OPTIONS);
    return {
      maxAttempts: this.count('retry.maxAttempts', options.maxAttempts),
      backoff: this.backoff(options.backoff),
      initialDelayMs: this.duration('retry.initialDelay', options.initialDelay, 0),
      maxDelayMs: this.duration('retry.maxDelay', options.maxDelay, 0),
      jitter: this.oneOf('retry.jitter', options.jitter, ['none', 'full', 'equal']),
      retryIf: this.callback('retry.retryIf', options.retryIf),
    };
  }

  private circuit(options: CircuitOptions): Written<ResolvedCircuitOptions> {
    this.checkNames('circuit', options, CIRCUIT_OPTIONS);
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
    return this.oneOf<BackoffKind>(
      'retry.backoff',
      value,
      ['fixed', 'linear', 'exponential', 'quadratic'],
      ', or a function',
    );
  }

  private checkNames(path: string, value: unknown, known: readonly string[]): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.invalid(path || 'options', value, path ? 'an object or false' : 'an object');
    }
    for (const [name, given] of Object.entries(value)) {
      if (known.includes(name)) continue;
      const nearest = nearestName(name, known);
      const hint = nearest ? `did you mean "${nearest}"?` : `there are ${known.join(', ')}`;
      throw this.invalid(path ? `${path}.${name}` : name, given, `left out: it is unknown (${hint})`);
    }
  }

  private count(option: string, value: unknown, least = 1, most = LARGEST_COUNT): number | undefined {
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    const bounds = most === LARGEST_COUNT ? `from ${least} up` : `from ${least} to ${most}`;
    throw this.invalid(option, value, `a whole number ${bounds}`);
  }

  private share(option: string, value: unknown): number | undefined {
    if (value === undefined || (typeof value === 'number' && value > 0 && value <= 1)) return value;
    throw this.invalid(option, value, 'a number over 0 and up to 1');
  }

  private duration(option: string, value: unknown, least: number, most = LONGEST_DURATION_MS): number | undefined {
    if (value === undefined) return undefined;
    const parsed = parseDuration(value);
    if (parsed !== undefined && parsed >= least && parsed <= most) return parsed;
    const bounds = most === LONGEST_DURATION_MS ? `from ${least} ms up` : `from ${least} to ${most} ms`;
    throw this.invalid(option, value, `a duration ${bounds}, such as 5000 or '30s'`);
  }

  private oneOf<T extends string>(
    option: string,
    value: T | undefined,
    choices: readonly T[],
    orElse = '',
  ): T | undefined {
    if (value === undefined || choices.includes(value)) return value;
    throw this.invalid(option, value, choices.map((choice) => `'${choice}'`).join(', ') + orElse);
  }

  private callback<T>(option: string, value: T): T {
    if (value === undefined || typeof value === 'function') return value;
    throw this.invalid(option, value, 'a function');
  }

  private invalid(option: string, value: unknown, expected: string): InvalidOptionError {
    return new InvalidOptionError(this.place, `${this.prefix}${option}`, value, expected);
  }
}

function namesOf<T>(names: Record<keyof T, true>): string[] {
  return Object.keys(names);
}

function without(names: readonly string[], name: string): string[] {
  return names.filter((one) => one !== name);
}
