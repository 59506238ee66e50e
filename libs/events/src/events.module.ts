import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { HealthIndicatorService } from '@nestjs/terminus';
import { Clock } from './clock/clock.js';
import { SystemClock } from './clock/system-clock.js';
import { DeadLetters } from './dead-letter/dead-letters.service.js';
import { EventHandlerRegistry } from './discovery/event-handler-registry.service.js';
import { ClusterRegistry } from './discovery/cluster-registry.js';
import { HandlerExplorer } from './discovery/handler.explorer.js';
import { HandlerMetadataAccessor } from './discovery/handler-metadata.accessor.js';
import { HandlerRegistry } from './discovery/handler.registry.js';
import { DeliveryRunner } from './dispatch/delivery-runner.js';
import { EventExecutor } from './dispatch/event-executor.js';
import { EventInvoker } from './dispatch/event-invoker.service.js';
import { EventProcessor } from './dispatch/event-processor.js';
import { EventsNode } from './dispatch/events-node.service.js';
import { WorkLoops } from './dispatch/work-loops.js';
import { WorkSignal } from './dispatch/work-signal.js';
import { DuplicateModuleError } from './errors/duplicate-module.error.js';
import {
  ConfigurableModuleClass,
  EVENTS_MODULE_OPTIONS,
  EVENTS_OPTIONS,
  type EVENTS_OPTIONS_TYPE,
} from './events.module-definition.js';
import { resolveOptions } from './events.options.js';
import { EventsHealthIndicator } from './health/events-health.indicator.js';
import { CurrentAttempt } from './invoke/current-attempt.js';
import { BootReport } from './observability/boot-report.js';
import { HandlerUpkeep } from './maintenance/handler-upkeep.js';
import { Maintenance } from './maintenance/maintenance.js';
import { Activity } from './observability/activity.js';
import { ErrorReports } from './observability/error-reports.js';
import { EventLifecycle } from './observability/event-lifecycle.js';
import { LogStorms } from './observability/log-storms.js';
import { EventsStats } from './observability/events-stats.service.js';
import { EventTracing } from './observability/tracing/event-tracing.js';
import { EventsMetrics } from './observability/metrics/events-metrics.js';
import { UnhandledEvents } from './observability/unhandled-events.js';
import { AmbientTransaction } from './publish/ambient-transaction.js';
import { CommitGroups } from './publish/commit-groups.js';
import { EventAppender } from './publish/event-appender.js';
import { EventBuilder } from './publish/event-builder.js';
import { EventInbox } from './publish/event-inbox.service.js';
import { EventPublisher } from './publish/event-publisher.service.js';
import { HeaderSources } from './publish/header-sources.js';
import { EVENT_STORE, type EventStore } from './store/event-store.js';
import { eventStoreProvider } from './store.provider.js';

/** What applications inject. */
const SERVICES = [
  EventPublisher,
  EventInbox,
  EventHandlerRegistry,
  EventInvoker,
  DeadLetters,
  EventsNode,
  EventsStats,
  EventLifecycle,
  EventsHealthIndicator,
];

/** Durable events: see `EventsModuleOptions` for what `forRoot` and `forRootAsync` take. */
@Module({
  imports: [DiscoveryModule],
  providers: [
    { provide: EVENTS_OPTIONS, useFactory: resolveOptions, inject: [EVENTS_MODULE_OPTIONS] },
    { provide: Clock, useClass: SystemClock },
    eventStoreProvider,
    HealthIndicatorService,
    HandlerMetadataAccessor,
    HandlerExplorer,
    HandlerRegistry,
    ClusterRegistry,
    AmbientTransaction,
    CurrentAttempt,
    EventTracing,
    HeaderSources,
    EventBuilder,
    EventAppender,
    CommitGroups,
    WorkSignal,
    Activity,
    LogStorms,
    UnhandledEvents,
    ErrorReports,
    DeliveryRunner,
    EventExecutor,
    EventProcessor,
    WorkLoops,
    HandlerUpkeep,
    Maintenance,
    BootReport,
    EventsMetrics,
    ...SERVICES,
  ],
  exports: SERVICES,
})
export class EventsModule
  extends ConfigurableModuleClass
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  constructor(
    modules: ModulesContainer,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly node: EventsNode,
    private readonly report: BootReport,
  ) {
    super();
    const own = [...modules.values()].filter(({ metatype }) => metatype === EventsModule);
    if (own.length > 1) throw new DuplicateModuleError();
    // Nest runs a global module's hooks first at start and last at shutdown. Turned round: handlers start when every
    // client of the application is open, and have ended before the first is closed.
    for (const module of own) module.distance = -1;
  }

  /** Nest's own would not do without an argument. */
  static override forRoot(options: typeof EVENTS_OPTIONS_TYPE = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** All instances exist and every other module has been initialised. */
  async onModuleInit(): Promise<void> {
    this.report.explore();
    await this.node.enroll();
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.node.start();
    this.report.print();
  }

  async onModuleDestroy(): Promise<void> {
    await this.node.drain();
  }

  /** Publishing works until here: while HTTP drains, requests may still commit. */
  async onApplicationShutdown(): Promise<void> {
    await this.store.close();
  }
}
