import { hostname } from 'node:os';
import { parseDuration } from './duration.js';
import { InvalidOptionError } from './errors/invalid-option.error.js';
import type { EventsModuleOptions, ResolvedEventsOptions } from './events.options.interface.js';
import { nearestName } from './nearest-name.js';

const PLACE = 'EventsModule.forRoot()';

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Keeps any moment that is this far from now a safe integer and a valid Date. */
const LONGEST_DURATION_MS = 2 ** 52;
/** Leaves room in PostgreSQL's 63 bytes for the longest name of a table or index behind it. */
const LONGEST_PREFIX = 30;
const LONGEST_SCHEMA = 63;
const LONGEST_NODE_ID = 255;

const NAMES = Object.keys({
  dataSource: true,
  store: true,
  defaults: true,
  handlers: true,
  concurrency: true,
  batchSize: true,
  pollInterval: true,
  scheduler: true,
  lease: true,
  shutdownTimeout: true,
  transactionTimeout: true,
  retention: true,
  currentManager: true,
  maxPayloadBytes: true,
  tablePrefix: true,
  schema: true,
  migrate: true,
  nodeId: true,
} satisfies Record<keyof EventsModuleOptions, true>);

const RETENTION_NAMES = Object.keys({
  completed: true,
  dead: true,
} satisfies Record<keyof NonNullable<EventsModuleOptions['retention']>, true>);

/**
 * Checks the options, fills in the defaults and turns durations into milliseconds. An option that is `undefined` counts
 * as left out. What stands in `defaults` is checked where handlers' options are resolved, not here.
 * @throws InvalidOptionError for the first option that is unknown, of the wrong kind or out of range.
 */
export function resolveOptions(options: EventsModuleOptions = {}): ResolvedEventsOptions {
  checkNames('', options, NAMES);
  const { retention = {} } = options;
  checkNames('retention', retention, RETENTION_NAMES);

  const leaseMs = duration('lease', options.lease, 30_000, 6000, LONGEST_TIMER_MS);
  return {
    dataSource: dataSource(options),
    store: oneOf('store', options.store, ['memory']) ?? 'sql',
    defaults: defaults(options.defaults),
    handlers: flag('handlers', options.handlers),
    concurrency: count('concurrency', options.concurrency, 100),
    batchSize: count('batchSize', options.batchSize, 500, 10_000),
    pollIntervalMs: duration('pollInterval', options.pollInterval, 1000, 10, LONGEST_TIMER_MS),
    scheduler: oneOf('scheduler', options.scheduler, ['concurrent', 'cooperative']) ?? 'concurrent',
    leaseMs,
    shutdownTimeoutMs: shutdownTimeout(options.shutdownTimeout, leaseMs),
    transactionTimeoutMs: duration('transactionTimeout', options.transactionTimeout, 5000, 1, LONGEST_TIMER_MS),
    retention: {
      completedMs: duration('retention.completed', retention.completed, 7 * 86_400_000),
      deadMs: duration('retention.dead', retention.dead, 30 * 86_400_000),
    },
    currentManager: callback('currentManager', options.currentManager),
    maxPayloadBytes: count('maxPayloadBytes', options.maxPayloadBytes, 1024 * 1024),
    tablePrefix: identifier('tablePrefix', options.tablePrefix, LONGEST_PREFIX) ?? 'event_',
    schema: identifier('schema', options.schema, LONGEST_SCHEMA),
    migrate: flag('migrate', options.migrate),
    nodeId: nodeId(options.nodeId),
  };
}

function checkNames(path: string, value: unknown, known: readonly string[]): void {
  if (!isRecord(value)) throw invalid(path || 'options', value, 'an object');
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue;
    const nearest = nearestName(name, known);
    const hint = nearest ? `did you mean "${nearest}"?` : `there are ${known.join(', ')}`;
    // A misspelt dataSource or a url carries a password: of what stands there, only the kind is shown.
    throw invalid(path ? `${path}.${name}` : name, `<${kind(value[name])}>`, `left out: it is unknown (${hint})`);
  }
}

function dataSource({ dataSource, store }: EventsModuleOptions): EventsModuleOptions['dataSource'] {
  if (dataSource === undefined) return undefined;
  if (store === 'memory') throw invalid('store', store, 'left out when there is a dataSource');
  if (
    dataSource === '' ||
    dataSource === null ||
    !['object', 'function', 'string', 'symbol'].includes(typeof dataSource)
  ) {
    throw invalid('dataSource', dataSource, 'a DataSource, its injection token, or DataSourceOptions');
  }
  return dataSource;
}

function defaults(value: ResolvedEventsOptions['defaults'] = {}): ResolvedEventsOptions['defaults'] {
  if (!isRecord(value)) throw invalid('defaults', value, 'an object');
  if ('name' in value) throw invalid('defaults.name', value.name, 'left out: a name is for one handler');
  return value;
}

function shutdownTimeout(value: unknown, leaseMs: number): number {
  // The default gives way to a short lease, so that setting `lease` alone never fails.
  const parsed = duration('shutdownTimeout', value, Math.min(25_000, Math.floor((leaseMs * 5) / 6)));
  if (parsed >= leaseMs) throw invalid('shutdownTimeout', value, `shorter than lease (${leaseMs} ms)`);
  return parsed;
}

function nodeId(value: unknown): string {
  // The end is what tells processes of one host apart.
  if (value === undefined) return `${hostname()}:${process.pid}`.slice(-LONGEST_NODE_ID);
  if (typeof value !== 'string' || value.length === 0 || value.length > LONGEST_NODE_ID) {
    throw invalid('nodeId', value, `a text of 1 to ${LONGEST_NODE_ID} characters`);
  }
  return value;
}

function duration(option: string, value: unknown, byDefault: number, least = 0, most = LONGEST_DURATION_MS): number {
  if (value === undefined) return byDefault;
  const parsed = parseDuration(value);
  if (parsed !== undefined && parsed >= least && parsed <= most) return parsed;
  const bounds = most === LONGEST_DURATION_MS ? `from ${least} ms up` : `from ${least} to ${most} ms`;
  throw invalid(option, value, `a duration ${bounds}, such as 5000 or '30s'`);
}

function count(option: string, value: unknown, byDefault: number, most = Number.MAX_SAFE_INTEGER): number {
  if (value === undefined) return byDefault;
  if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number;
  const bounds = most === Number.MAX_SAFE_INTEGER ? 'from 1 up' : `from 1 to ${most}`;
  throw invalid(option, value, `a whole number ${bounds}`);
}

function flag(option: string, value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'boolean') throw invalid(option, value, 'true or false');
  return value;
}

function oneOf<T extends string>(option: string, value: T | undefined, choices: readonly T[]): T | undefined {
  if (value === undefined || choices.includes(value)) return value;
  throw invalid(option, value, `${choices.map((choice) => `'${choice}'`).join(' or ')}, or left out`);
}

function callback<T>(option: string, value: T): T {
  if (value !== undefined && typeof value !== 'function') throw invalid(option, value, 'a function');
  return value;
}

function identifier(option: string, value: unknown, longest: number): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^\w+$/.test(value) && value.length <= longest) return value;
  throw invalid(option, value, `1 to ${longest} letters, digits and underscores`);
}

function invalid(option: string, value: unknown, expected: string): InvalidOptionError {
  return new InvalidOptionError(PLACE, option, value, expected);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kind(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
