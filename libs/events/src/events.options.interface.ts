import type { InjectionToken, Type } from '@nestjs/common';
import type { DataSource, DataSourceOptions, EntityManager } from 'typeorm';
import type { HandlerDefaults } from './discovery/on-event.options.js';
import type { Duration } from './duration.js';
import type { ContextHeaders } from './invoke/context-headers.js';
import type { EventMiddleware } from './invoke/middleware.js';
import type { ErrorReporter } from './observability/error-reporter.js';
import type { PrometheusRegistry } from './observability/metrics/prometheus-registry.js';

/** Options of `EventsModule.forRoot()`; all optional. */
export interface EventsModuleOptions {
  /**
   * The database: a `DataSource`, its injection token, or `DataSourceOptions`. Left out: the application's default
   * `DataSource` if there is one, else an embedded SQLite file `events.sqlite`. The boot log says which.
   */
  dataSource?: DataSource | DataSourceOptions | InjectionToken<DataSource>;
  /** `'memory'`: nothing is durable; for tests. Excludes `dataSource`. */
  store?: 'memory';
  /** Defaults for all handlers; a handler's own options win. */
  defaults?: HandlerDefaults;
  /** False: a publisher-only node; its handlers are neither registered nor run. Default true. */
  handlers?: boolean;
  /** How many deliveries this node runs at once, over all handlers. Default 100. */
  concurrency?: number;
  /** Most deliveries one claim, settle, stage or fan-out takes. Default 500. */
  batchSize?: number;
  /** How often an idle node looks for work it was not told of; up to 20 % jitter is added. Default '1s'. */
  pollInterval?: Duration;
  /** `concurrent`: processor and executor run independently. `cooperative`: one after the other, each turn. Default 'concurrent'. */
  scheduler?: 'concurrent' | 'cooperative';
  /** A node that has not beaten for this long is dead, its deliveries are rescued. Default '30s', at least '6s'. */
  lease?: Duration;
  /** How long shutdown waits for running handlers before it aborts them. Must be under `lease`. Default '25s', less with a short `lease` (five sixths of it). */
  shutdownTimeout?: Duration;
  /** How long a `context.transaction` or `publisher.transaction` may hold a SQLite file. Default '5s'. */
  transactionTimeout?: Duration;
  /** How long history is kept. */
  retention?: {
    /** Completed, duplicate and cancelled deliveries, and their events; also how long an event id is remembered. Default '7d'. */
    completed?: Duration;
    /** Dead letters. Default '30d'. */
    dead?: Duration;
  };
  /** How long no live node must have had a handler until its subscriptions end. Default '7d', at least '1s'. */
  retireAfter?: Duration;
  /** Run around every attempt of every handler, the first outermost. Classes of providers anywhere in the application. */
  middleware?: Type<EventMiddleware>[];
  /** Learns of every final failure. The class of a provider anywhere in the application. */
  errorReporter?: Type<ErrorReporter>;
  /** Carries AsyncLocalStorage context (tenant, user, locale) from publishes to handlers, in headers. */
  contextHeaders?: ContextHeaders;
  /** OpenTelemetry. Free while the application registers no SDK. */
  tracing?: {
    /**
     * What the publishing span is to an attempt's: `link`: the attempt begins a trace of its own, linked to it; `parent`: it
     * goes on with the publisher's trace. Default 'link'.
     */
    parent?: 'link' | 'parent';
  };
  /** Where the metrics go. Default: to OpenTelemetry, if the application has set up its SDK before the module starts. */
  metrics?: {
    /**
     * A `Registry` of prom-client (an optional peer: install it), or `true` for its default one. Two modules in one process
     * need two registries, or prefixes. Default false.
     */
    prometheus?: boolean | PrometheusRegistry;
    /** In front of each name. Default 'events_'. Letters, digits and underscores, a letter first. */
    prefix?: string;
    /** False: no OpenTelemetry, even if there is an SDK. Default true. */
    openTelemetry?: boolean;
  };
  /** The ambient transaction of nestjs-cls, typeorm-transactional and the like; asked at each publish. */
  currentManager?: () => EntityManager | undefined;
  /** Largest payload in bytes of JSON, and largest headers. Default 1 MiB. */
  maxPayloadBytes?: number;
  /** Prefix of the tables. Default 'event_'. Letters, digits and underscores. */
  tablePrefix?: string;
  /** Database schema of the tables (PostgreSQL). Default: the connection's. Letters, digits and underscores. */
  schema?: string;
  /** Run pending migrations at start. Default true; false: start fails when the schema is behind. */
  migrate?: boolean;
  /** A label for this process in logs and records. Default `host:pid`. */
  nodeId?: string;
}

/** The same, resolved once at boot: defaults filled in, durations in milliseconds. */
export interface ResolvedEventsOptions {
  readonly dataSource: EventsModuleOptions['dataSource'];
  readonly store: 'memory' | 'sql';
  readonly defaults: HandlerDefaults;
  readonly handlers: boolean;
  readonly concurrency: number;
  readonly batchSize: number;
  readonly pollIntervalMs: number;
  readonly scheduler: 'concurrent' | 'cooperative';
  readonly leaseMs: number;
  readonly shutdownTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  readonly retention: { readonly completedMs: number; readonly deadMs: number };
  readonly retireAfterMs: number;
  readonly middleware: readonly Type<EventMiddleware>[];
  readonly errorReporter: Type<ErrorReporter> | undefined;
  readonly contextHeaders: ContextHeaders | undefined;
  readonly tracing: { readonly parent: 'link' | 'parent' };
  readonly metrics: {
    readonly prometheus: boolean | PrometheusRegistry;
    readonly prefix: string;
    readonly openTelemetry: boolean;
  };
  readonly currentManager: (() => EntityManager | undefined) | undefined;
  readonly maxPayloadBytes: number;
  readonly tablePrefix: string;
  readonly schema: string | undefined;
  readonly migrate: boolean;
  readonly nodeId: string;
}
