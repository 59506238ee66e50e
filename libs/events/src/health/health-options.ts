import type { Duration } from '../duration.js';
import { namesOf, OptionReader } from '../option-reader.js';

/** Limits for the health of a node; passing one degrades it. Each is one for all handlers, or a record by handler name. */
export interface EventsHealthOptions {
  /**
   * Degraded when a pending delivery is older than this, as of the last sample (every 10 s). One value: for each handler of
   * this node; a record may name any handler of the cluster. Default: no limit.
   */
  maxLag?: Duration | Readonly<Record<string, Duration>>;
  /**
   * Degraded when there are more dead letters than this: of the whole cluster with one number, of each handler with a record.
   * Default: no limit, and they are not counted.
   */
  maxDeadLetters?: number | Readonly<Record<string, number>>;
}

/** The same, read. */
export interface HealthLimits {
  /** Milliseconds, by handler. */
  readonly lagMs: ReadonlyMap<string, number>;
  /** Of all handlers together. */
  readonly deadLetters: number | undefined;
  /** By handler. */
  readonly deadLettersOf: ReadonlyMap<string, number>;
}

const NAMES = namesOf<EventsHealthOptions>({ maxLag: true, maxDeadLetters: true });

/**
 * @param own handlers of this node.
 * @throws InvalidOptionError that names the option and the value.
 */
export function readHealthOptions(place: string, options: EventsHealthOptions, own: readonly string[]): HealthLimits {
  const reader = new OptionReader(place);
  reader.names('', options, NAMES);
  const { maxLag, maxDeadLetters } = options;
  const lag = (option: string, value: unknown) => reader.duration(option, value);
  const letters = (option: string, value: unknown) => reader.count(option, value, 0);
  const lagForAll = isRecord(maxLag) ? undefined : lag('maxLag', maxLag);
  return {
    lagMs: isRecord(maxLag)
      ? limitsOf('maxLag', maxLag, lag)
      : new Map(lagForAll === undefined ? [] : own.map((name) => [name, lagForAll])),
    deadLetters: isRecord(maxDeadLetters) ? undefined : letters('maxDeadLetters', maxDeadLetters),
    deadLettersOf: isRecord(maxDeadLetters) ? limitsOf('maxDeadLetters', maxDeadLetters, letters) : new Map(),
  };
}

/** @throws InvalidOptionError for a handler that the cluster does not know; it names the nearest one that it does. */
export function checkHandlerNames(place: string, options: EventsHealthOptions, known: readonly string[]): void {
  const reader = new OptionReader(place);
  for (const option of ['maxLag', 'maxDeadLetters'] as const) {
    const limits = options[option];
    if (isRecord(limits)) reader.names(option, limits, known);
  }
}

function limitsOf(
  option: string,
  record: Readonly<Record<string, unknown>>,
  read: (option: string, value: unknown) => number | undefined,
): Map<string, number> {
  const limits = new Map<string, number>();
  for (const [handler, value] of Object.entries(record)) {
    const limit = read(`${option}.${handler}`, value);
    if (limit !== undefined) limits.set(handler, limit);
  }
  return limits;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
