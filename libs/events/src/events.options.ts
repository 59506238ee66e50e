import type { Type } from '@nestjs/common';
import { hostname } from 'node:os';
import type { EventsModuleOptions, ResolvedEventsOptions } from './events.options.interface.js';
import type { ContextHeaders } from './invoke/context-headers.js';
import type { EventMiddleware } from './invoke/middleware.js';
import type { ErrorReporter } from './observability/error-reporter.js';
import { LONGEST_TIMER_MS, namesOf, OptionReader } from './option-reader.js';

const reader = new OptionReader('EventsModule.forRoot()', '', true);

/** Leaves room in PostgreSQL's 63 bytes for the longest name of a table or index behind it. */
const LONGEST_PREFIX = 30;
const LONGEST_SCHEMA = 63;
const LONGEST_NODE_ID = 255;

const NAMES = namesOf<EventsModuleOptions>({
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
  retireAfter: true,
  middleware: true,
  errorReporter: true,
  contextHeaders: true,
  tracing: true,
  metrics: true,
  currentManager: true,
  maxPayloadBytes: true,
  tablePrefix: true,
  schema: true,
  migrate: true,
  nodeId: true,
});

const RETENTION_NAMES = namesOf<NonNullable<EventsModuleOptions['retention']>>({ completed: true, dead: true });
const TRACING_NAMES = namesOf<NonNullable<EventsModuleOptions['tracing']>>({ parent: true });
const CONTEXT_NAMES = namesOf<ContextHeaders>({ capture: true, restore: true });

const METRICS_NAMES = namesOf<NonNullable<EventsModuleOptions['metrics']>>({
  prometheus: true,
  prefix: true,
  openTelemetry: true,
});

/**
 * Checks the options, fills in the defaults and turns durations into milliseconds. An option that is `undefined` counts
 * as left out. What stands in `defaults` is checked where handlers' options are resolved, not here.
 * @throws InvalidOptionError for the first option that is unknown, of the wrong kind or out of range.
 */
export function resolveOptions(options: EventsModuleOptions = {}): ResolvedEventsOptions {
  reader.names('', options, NAMES);
  const { retention = {} } = options;
  reader.names('retention', retention, RETENTION_NAMES);

  const leaseMs = reader.duration('lease', options.lease, 6000, LONGEST_TIMER_MS) ?? 30_000;
  return {
    dataSource: dataSource(options),
    store: reader.oneOf('store', options.store, ['memory'], ', or left out') ?? 'sql',
    defaults: defaults(options.defaults),
    handlers: reader.flag('handlers', options.handlers) ?? true,
    concurrency: reader.count('concurrency', options.concurrency) ?? 100,
    batchSize: reader.count('batchSize', options.batchSize, 1, 10_000) ?? 500,
    pollIntervalMs: reader.duration('pollInterval', options.pollInterval, 10, LONGEST_TIMER_MS) ?? 1000,
    scheduler:
      reader.oneOf('scheduler', options.scheduler, ['concurrent', 'cooperative'], ', or left out') ?? 'concurrent',
    leaseMs,
    shutdownTimeoutMs: shutdownTimeout(options.shutdownTimeout, leaseMs),
    transactionTimeoutMs:
      reader.duration('transactionTimeout', options.transactionTimeout, 1, LONGEST_TIMER_MS) ?? 5000,
    retention: {
      completedMs: reader.duration('retention.completed', retention.completed) ?? 7 * 86_400_000,
      deadMs: reader.duration('retention.dead', retention.dead) ?? 30 * 86_400_000,
    },
    retireAfterMs: reader.duration('retireAfter', options.retireAfter, 1000) ?? 7 * 86_400_000,
    middleware: middleware(options.middleware),
    errorReporter: errorReporter(options.errorReporter),
    contextHeaders: contextHeaders(options.contextHeaders),
    tracing: tracing(options.tracing),
    metrics: metrics(options.metrics),
    currentManager: reader.callback('currentManager', options.currentManager),
    maxPayloadBytes: reader.count('maxPayloadBytes', options.maxPayloadBytes) ?? 1024 * 1024,
    tablePrefix: identifier('tablePrefix', options.tablePrefix, LONGEST_PREFIX) ?? 'event_',
    schema: identifier('schema', options.schema, LONGEST_SCHEMA),
    migrate: reader.flag('migrate', options.migrate) ?? true,
    nodeId: nodeId(options.nodeId),
  };
}

function dataSource({ dataSource, store }: EventsModuleOptions): EventsModuleOptions['dataSource'] {
  if (dataSource === undefined) return undefined;
  if (store === 'memory') throw reader.invalid('store', store, 'left out when there is a dataSource');
  if (
    dataSource === '' ||
    dataSource === null ||
    !['object', 'function', 'string', 'symbol'].includes(typeof dataSource)
  ) {
    throw reader.invalid('dataSource', dataSource, 'a DataSource, its injection token, or DataSourceOptions');
  }
  return dataSource;
}

function defaults(value: ResolvedEventsOptions['defaults'] = {}): ResolvedEventsOptions['defaults'] {
  if (!isRecord(value)) throw reader.invalid('defaults', value, 'an object');
  if ('name' in value) throw reader.invalid('defaults.name', value.name, 'left out: a name is for one handler');
  if ('aliases' in value) {
    throw reader.invalid('defaults.aliases', value.aliases, 'left out: former names are for one handler');
  }
  return value;
}

function middleware(value: unknown): ResolvedEventsOptions['middleware'] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw reader.invalid('middleware', value, 'a list of classes');
  return value.map((type: unknown, index) => {
    // `undefined` is what an import cycle leaves of a class.
    if (typeof type === 'function') return type as Type<EventMiddleware>;
    throw reader.invalid(`middleware[${index}]`, type, 'a class');
  });
}

function errorReporter(value: unknown): ResolvedEventsOptions['errorReporter'] {
  if (value === undefined || typeof value === 'function') return value as Type<ErrorReporter> | undefined;
  throw reader.invalid('errorReporter', value, 'a class');
}

function contextHeaders(value: ContextHeaders | undefined): ContextHeaders | undefined {
  if (value === undefined) return undefined;
  // Not by its own names: it may be an instance of a class.
  if (typeof value !== 'object' || value === null) {
    throw reader.invalid('contextHeaders', value, `an object with ${CONTEXT_NAMES.join(' and ')}`);
  }
  for (const name of CONTEXT_NAMES) {
    const method: unknown = value[name as keyof ContextHeaders];
    if (typeof method !== 'function') throw reader.invalid(`contextHeaders.${name}`, method, 'a function');
  }
  return value;
}

function tracing(value: EventsModuleOptions['tracing'] = {}): ResolvedEventsOptions['tracing'] {
  reader.names('tracing', value, TRACING_NAMES);
  return { parent: reader.oneOf('tracing.parent', value.parent, ['link', 'parent']) ?? 'link' };
}

function metrics(value: EventsModuleOptions['metrics'] = {}): ResolvedEventsOptions['metrics'] {
  reader.names('metrics', value, METRICS_NAMES);
  const { prometheus = false, prefix = 'events_', openTelemetry } = value;
  const isRegistry = typeof prometheus === 'object' && typeof prometheus?.registerMetric === 'function';
  if (typeof prometheus !== 'boolean' && !isRegistry) {
    throw reader.invalid('metrics.prometheus', prometheus, 'true, false or a Registry of prom-client');
  }
  if (typeof prefix !== 'string' || !/^[A-Za-z]\w{0,99}$/.test(prefix)) {
    const expected = '1 to 100 letters, digits and underscores, starting with a letter';
    throw reader.invalid('metrics.prefix', prefix, expected);
  }
  return { prometheus, prefix, openTelemetry: reader.flag('metrics.openTelemetry', openTelemetry) ?? true };
}

function shutdownTimeout(value: unknown, leaseMs: number): number {
  // The default gives way to a short lease, so that setting `lease` alone never fails.
  const parsed = reader.duration('shutdownTimeout', value) ?? Math.min(25_000, Math.floor((leaseMs * 5) / 6));
  if (parsed >= leaseMs) throw reader.invalid('shutdownTimeout', value, `shorter than lease (${leaseMs} ms)`);
  return parsed;
}

function nodeId(value: unknown): string {
  // The end is what tells processes of one host apart.
  if (value === undefined) return `${hostname()}:${process.pid}`.slice(-LONGEST_NODE_ID);
  if (typeof value !== 'string' || value.length === 0 || value.length > LONGEST_NODE_ID) {
    throw reader.invalid('nodeId', value, `a text of 1 to ${LONGEST_NODE_ID} characters`);
  }
  return value;
}

function identifier(option: string, value: unknown, longest: number): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && /^[A-Za-z_]\w*$/.test(value) && value.length <= longest) return value;
  throw reader.invalid(option, value, `1 to ${longest} letters, digits and underscores, not starting with a digit`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
