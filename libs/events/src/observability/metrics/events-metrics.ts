import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Subscription } from 'rxjs';
import { Clock } from '../../clock/clock.js';
import { EventsNode } from '../../dispatch/events-node.service.js';
import { EVENTS_OPTIONS } from '../../events.module-definition.js';
import type { ResolvedEventsOptions } from '../../events.options.interface.js';
import { Maintenance } from '../../maintenance/maintenance.js';
import { EventLifecycle } from '../event-lifecycle.js';
import { EventsStats } from '../events-stats.service.js';
import { FactRecorder } from './fact-recorder.js';
import type { GaugeSource } from './gauge-source.js';
import { loadPromClient } from './load-prom-client.js';
import { METRICS } from './metric-definitions.js';
import type { MetricSink } from './metric-sink.js';
import { OpenTelemetrySink } from './open-telemetry.sink.js';
import { PrometheusSink } from './prometheus.sink.js';

/** Makes the metrics, and feeds them with facts. Nobody to record for: nobody listens, and facts are not even made. */
@Injectable()
export class EventsMetrics implements OnModuleInit, OnApplicationShutdown {
  private sinks: readonly MetricSink[] = [];
  private subscription: Subscription | undefined;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: Pick<ResolvedEventsOptions, 'metrics' | 'handlers'>,
    private readonly lifecycle: EventLifecycle,
    private readonly stats: EventsStats,
    private readonly node: EventsNode,
    private readonly maintenance: Maintenance,
    private readonly clock: Clock,
  ) {}

  /** @throws MissingPackageError, InvalidOptionError when the registry has metrics of these names. */
  async onModuleInit(): Promise<void> {
    this.sinks = await this.open();
    if (this.sinks.length === 0) return;
    const { record } = new FactRecorder(this.sinks);
    for (const metric of METRICS) {
      if (metric.kind !== 'gauge') continue;
      for (const sink of this.sinks) sink.gauge(metric, () => metric.read(this.source()));
    }
    this.subscription = this.lifecycle.subscribe(record);
  }

  onApplicationShutdown(): void {
    this.subscription?.unsubscribe();
    for (const sink of this.sinks) sink.close();
  }

  private async open(): Promise<MetricSink[]> {
    const { prometheus, openTelemetry, prefix } = this.options.metrics;
    const sinks: MetricSink[] = [];
    if (prometheus) {
      const client = await loadPromClient();
      sinks.push(new PrometheusSink(client, prometheus === true ? client.register : prometheus, prefix));
    }
    const sink = openTelemetry ? OpenTelemetrySink.open(prefix) : undefined;
    return sink ? [...sinks, sink] : sinks;
  }

  private source(): GaugeSource {
    return {
      status: this.node.status,
      handlers: this.options.handlers ? this.stats.snapshot().handlers : {},
      sample: this.maintenance.lastSample,
      now: this.clock.now(),
    };
  }
}
