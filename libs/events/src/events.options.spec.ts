import { hostname } from 'node:os';
import { type OpenMetricsContentType, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { InvalidOptionError } from './errors/invalid-option.error.js';
import type { EventsModuleOptions } from './events.options.interface.js';
import { resolveOptions } from './events.options.js';

/** Scope: the module's options, from what is written to what the code reads. */
const DEFAULTS = {
  dataSource: undefined,
  store: 'sql',
  defaults: {},
  handlers: true,
  concurrency: 100,
  batchSize: 500,
  pollIntervalMs: 1000,
  scheduler: 'concurrent',
  leaseMs: 30_000,
  shutdownTimeoutMs: 25_000,
  transactionTimeoutMs: 5000,
  retention: { completedMs: 604_800_000, deadMs: 2_592_000_000 },
  retireAfterMs: 604_800_000,
  middleware: [],
  errorReporter: undefined,
  contextHeaders: undefined,
  tracing: { parent: 'link' },
  metrics: { prometheus: false, prefix: 'events_', openTelemetry: true },
  currentManager: undefined,
  maxPayloadBytes: 1_048_576,
  tablePrefix: 'event_',
  schema: undefined,
  migrate: true,
  nodeId: `${hostname()}:${process.pid}`,
};

/** What the boot says to options that no compiler has seen. */
function refusal(options: unknown): string {
  try {
    resolveOptions(options as EventsModuleOptions);
  } catch (error) {
    if (error instanceof InvalidOptionError) return error.message;
    throw error;
  }
  return 'not refused';
}

describe('resolveOptions', () => {
  it('fills in every default', () => {
    expect(resolveOptions()).toStrictEqual(DEFAULTS);
    expect(resolveOptions({})).toStrictEqual(DEFAULTS);
  });

  it('takes undefined as left out', () => {
    const names = [
      'dataSource',
      'store',
      'retention',
      'lease',
      'handlers',
      'nodeId',
      'currentManager',
      'tablePrefix',
    ].concat(['retireAfter', 'middleware', 'errorReporter', 'contextHeaders', 'tracing', 'metrics']);
    const options = Object.fromEntries(names.map((name) => [name, undefined]));
    expect(resolveOptions(options)).toStrictEqual(DEFAULTS);
  });

  it('keeps what is given, durations in milliseconds', () => {
    const currentManager = () => undefined;
    const contextHeaders = { capture: () => ({}), restore: (_: unknown, run: () => Promise<void>) => run() };
    class First {
      invoke = (_: unknown, next: () => Promise<void>) => next();
    }
    class Second extends First {}
    class Reporter {
      report() {}
    }
    const dataSource = { type: 'postgres', url: 'postgres://localhost' } as const;
    expect(
      resolveOptions({
        dataSource,
        defaults: { priority: 10 },
        handlers: false,
        concurrency: 7,
        batchSize: 10_000,
        pollInterval: '250ms',
        scheduler: 'cooperative',
        lease: '1m',
        shutdownTimeout: 40_000,
        transactionTimeout: '2s',
        retention: { completed: '1h', dead: 0 },
        retireAfter: '1d',
        middleware: [First, Second],
        errorReporter: Reporter,
        contextHeaders,
        tracing: { parent: 'parent' },
        currentManager,
        maxPayloadBytes: 1,
        tablePrefix: 'Billing_2_',
        schema: 'events',
        migrate: false,
        nodeId: 'worker-1',
      }),
    ).toStrictEqual({
      dataSource,
      store: 'sql',
      defaults: { priority: 10 },
      handlers: false,
      concurrency: 7,
      batchSize: 10_000,
      pollIntervalMs: 250,
      scheduler: 'cooperative',
      leaseMs: 60_000,
      shutdownTimeoutMs: 40_000,
      transactionTimeoutMs: 2000,
      retention: { completedMs: 3_600_000, deadMs: 0 },
      retireAfterMs: 86_400_000,
      middleware: [First, Second],
      errorReporter: Reporter,
      contextHeaders,
      tracing: { parent: 'parent' },
      metrics: DEFAULTS.metrics,
      currentManager,
      maxPayloadBytes: 1,
      tablePrefix: 'Billing_2_',
      schema: 'events',
      migrate: false,
      nodeId: 'worker-1',
    });
    expect(resolveOptions({ store: 'memory' })).toStrictEqual({ ...DEFAULTS, store: 'memory' });
  });

  it('the default shutdownTimeout gives way to a short lease', () => {
    expect(['6s', '12s', '1m'].map((lease) => resolveOptions({ lease: lease as '6s' }).shutdownTimeoutMs)).toEqual([
      5000, 10_000, 25_000,
    ]);
  });

  it.each([
    [{ concurency: 5 }, 'option "concurency" must be left out: it is unknown (did you mean "concurrency"?)'],
    [
      { retention: { complete: '1d' } },
      '"retention.complete" must be left out: it is unknown (did you mean "completed"?)',
    ],
    [{ redis: 1 }, 'option "redis" must be left out: it is unknown (there are dataSource, store, '],
  ])('refuses the unknown option in %o', (options, message) => {
    expect(refusal(options)).toContain(message);
  });

  it('never shows what stands in an unknown option or a data source', () => {
    const secrets = [
      { datasource: { password: 's3cret' } },
      { url: 'postgres://me:s3cret@db' },
      { store: 'memory', dataSource: { type: 'postgres', password: 's3cret' } },
    ];
    expect(secrets.map(refusal).filter((message) => message.includes('s3cret') || message === 'not refused')).toEqual(
      [],
    );
  });

  it('takes a registry of prom-client, and says what of metrics it cannot use', () => {
    const registry = new Registry();
    const openMetrics = new Registry<OpenMetricsContentType>();
    expect(
      [registry, openMetrics, true].map((prometheus) => resolveOptions({ metrics: { prometheus } }).metrics),
    ).toStrictEqual([
      { prometheus: registry, prefix: 'events_', openTelemetry: true },
      { prometheus: openMetrics, prefix: 'events_', openTelemetry: true },
      { prometheus: true, prefix: 'events_', openTelemetry: true },
    ]);
    expect(resolveOptions({ metrics: { prefix: 'A1_', openTelemetry: false } }).metrics).toStrictEqual({
      prometheus: false,
      prefix: 'A1_',
      openTelemetry: false,
    });
    expect(
      [
        null,
        true,
        { registry },
        { prometheus: null },
        { prometheus: 'yes' },
        { prometheus: {} },
        ...['', '1_', 'a-', 'a:', 'ä', 'a'.repeat(101), 5].map((prefix) => ({ prefix })),
        { openTelemetry: 1 },
      ].map((metrics) => /option "[\w.]+" must/.exec(refusal({ metrics }))?.[0]),
    ).toEqual([
      'option "metrics" must',
      'option "metrics" must',
      'option "metrics.registry" must',
      ...Array.from({ length: 3 }, () => 'option "metrics.prometheus" must'),
      ...Array.from({ length: 7 }, () => 'option "metrics.prefix" must'),
      'option "metrics.openTelemetry" must',
    ]);
  });

  it('names the place, the option, the value and what is expected', () => {
    expect(refusal({ concurrency: 0 })).toBe(
      'EventsModule.forRoot(): option "concurrency" must be a whole number from 1 up, but is 0',
    );
    expect(refusal({ lease: '5s' })).toBe(
      `EventsModule.forRoot(): option "lease" must be a duration from 6000 to 2147483647 ms, such as 5000 or '30s', but is '5s'`,
    );
    expect(refusal({ shutdownTimeout: '30s' })).toBe(
      `EventsModule.forRoot(): option "shutdownTimeout" must be shorter than lease (30000 ms), but is '30s'`,
    );
    expect(refusal({ store: 'memory', dataSource: 'default' })).toBe(
      `EventsModule.forRoot(): option "store" must be left out when there is a dataSource, but is 'memory'`,
    );
    expect(refusal({ scheduler: 'cron' })).toBe(
      `EventsModule.forRoot(): option "scheduler" must be 'concurrent' or 'cooperative', or left out, but is 'cron'`,
    );
  });

  it.each(
    Object.entries({
      concurrency: [0, -1, 1.5, Number.NaN, Infinity, '5', null],
      batchSize: [0, 10_001, 2.5, '5', null],
      pollInterval: [9, '9ms', 2 ** 31, -1, 'soon', '', Number.NaN, Infinity, null, {}],
      scheduler: ['', 'CONCURRENT', null, 1],
      lease: [5999, '5s', 2 ** 31, 'x', null],
      shutdownTimeout: [-1, '30s', 30_000, '1h', 'x', null],
      transactionTimeout: [0, -1, 2 ** 31, 'x', null],
      retention: [null, [], '7d', 7],
      retireAfter: [0, 999, 'never', -1, null],
      middleware: [null, {}, 'x', () => undefined],
      errorReporter: [null, {}, 'x', []],
      contextHeaders: [null, 'x', () => ({})],
      tracing: [null, [], 'parent', true],
      currentManager: ['x', {}, null],
      maxPayloadBytes: [0, -1, 0.5, '1mb', null],
      tablePrefix: ['', 'a-b', 'a"b', 'a.b', 'ä_', 'x\n', 'x'.repeat(31), null, 5],
      schema: ['', 'a-b', 'public.x', 'x'.repeat(64), null, 5],
      migrate: ['true', 1, null],
      handlers: ['false', 0, null],
      nodeId: ['', 'x'.repeat(256), 5, null],
      store: ['sql', 'redis', null, true],
      dataSource: ['', null, 5, true],
      defaults: [null, [], 'x', 5],
    }).flatMap(([option, values]) => values.map((value) => [option, value] as const)),
  )('refuses %s %o', (option, value) => {
    expect(refusal({ [option]: value })).toContain(`EventsModule.forRoot(): option "${option}" must be `);
  });

  it.each([
    [{ tracing: { parent: 'child' } }, `option "tracing.parent" must be 'link' or 'parent', but is 'child'`],
    [
      { tracing: { parents: 'link' } },
      'option "tracing.parents" must be left out: it is unknown (did you mean "parent"?)',
    ],
    [{ contextHeaders: {} }, 'option "contextHeaders.capture" must be a function, but is undefined'],
    [{ contextHeaders: { capture() {}, restore: 1 } }, 'option "contextHeaders.restore" must be a function, but is 1'],
  ])('refuses %o', (options, message) => {
    expect(refusal(options)).toContain(message);
  });

  it.each([undefined, null, 'Tenancy', {}])('refuses %o as a middleware, naming its place', (middleware) => {
    expect(refusal({ middleware: [class First {}, middleware] })).toContain(
      'EventsModule.forRoot(): option "middleware[1]" must be a class, but is ',
    );
  });

  it('refuses retention that is no duration, and names for all handlers', () => {
    expect(
      [
        { retention: { completed: -1 } },
        { retention: { dead: 'forever' } },
        { retention: { dead: 1e300 } },
        { defaults: { name: 'x' } },
        { defaults: { aliases: ['x'] } },
        null,
        'x',
        [],
      ].map((options) => /option "[\w.]+" must/.exec(refusal(options))?.[0]),
    ).toEqual([
      'option "retention.completed" must',
      'option "retention.dead" must',
      'option "retention.dead" must',
      'option "defaults.name" must',
      'option "defaults.aliases" must',
      'option "options" must',
      'option "options" must',
      'option "options" must',
    ]);
  });

  it('accepts the ends of its ranges', () => {
    const { nodeId, schema, tablePrefix, ...resolved } = resolveOptions({
      concurrency: 1,
      batchSize: 1,
      pollInterval: 10,
      lease: 6000,
      shutdownTimeout: 0,
      transactionTimeout: 1,
      nodeId: 'x'.repeat(255),
      schema: 's'.repeat(63),
      tablePrefix: 'p'.repeat(30),
    });
    expect([nodeId.length, schema?.length, tablePrefix.length]).toEqual([255, 63, 30]);
    expect(resolved).toMatchObject({ concurrency: 1, batchSize: 1, pollIntervalMs: 10, shutdownTimeoutMs: 0 });
  });

  it('takes a data source, its token of any kind, or its options', () => {
    const tokens = [
      'audit',
      Symbol('audit'),
      class AuditSource {},
      { type: 'sqljs' },
    ] as EventsModuleOptions['dataSource'][];
    expect(tokens.map((dataSource) => resolveOptions({ dataSource }).dataSource)).toEqual(tokens);
  });
});
