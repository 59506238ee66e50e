import { Controller, Get, type INestApplication, type Provider } from '@nestjs/common';
import { HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import {
  Clock,
  EventPublisher,
  EventsHealthIndicator,
  type EventsHealthOptions,
  EventsModule,
} from 'nestjs-durable-events';
import { ManualClock } from 'nestjs-durable-events/testing';
import { expect } from 'vitest';
import { EVENT_STORE } from '../../libs/events/src/store/event-store.js';
import { MemoryStore } from '../../libs/events/src/store/memory/memory-store.js';

/** What a test sets as the limits of an application. */
class Limits {
  value: EventsHealthOptions = {};
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly events: EventsHealthIndicator,
    private readonly limits: Limits,
  ) {}

  @Get()
  all() {
    return this.health.check([() => this.events.isHealthy('events', this.limits.value)]);
  }

  @Get('ready')
  ready() {
    return this.health.check([() => this.events.readiness('events', this.limits.value)]);
  }

  @Get('live')
  live() {
    return this.health.check([() => this.events.liveness('events')]);
  }
}

/** What an orchestrator gets. */
export interface HealthAnswer {
  readonly http: number;
  readonly status: string;
  readonly message: string | undefined;
  readonly rest: Record<string, unknown>;
}

/** A listening application with a Terminus controller, on the in-memory store, whose time stands still until it is told. */
export class HealthApp {
  private constructor(
    readonly app: INestApplication,
    readonly clock: ManualClock,
    readonly store: MemoryStore,
  ) {}

  static async start(handlers: Provider): Promise<HealthApp> {
    const clock = new ManualClock();
    const store = new MemoryStore(clock);
    const module = await Test.createTestingModule({
      imports: [TerminusModule.forRoot({ logger: false }), EventsModule.forRoot({ store: 'memory', lease: '30s' })],
      controllers: [HealthController],
      providers: [handlers, Limits],
    })
      .overrideProvider(Clock)
      .useValue(clock)
      .overrideProvider(EVENT_STORE)
      .useValue(store)
      .compile();
    const app = module.createNestApplication();
    app.useLogger(false);
    await app.listen(0, '127.0.0.1');
    await clock.advance(0);
    return new HealthApp(app, clock, store);
  }

  /** Handlers that still run are given up after the shutdown timeout. */
  async close(): Promise<void> {
    const closed = this.app.close();
    await this.clock.advance('5m');
    await closed;
  }

  limit(limits: EventsHealthOptions): void {
    this.app.get(Limits).value = limits;
  }

  async publish(type: string, ...ids: string[]): Promise<void> {
    await this.app.get(EventPublisher).publishAll(ids.map((id) => ({ event: type, payload: {}, id })));
    await this.clock.advance(10);
  }

  async ask(path: 'health' | 'health/ready' | 'health/live'): Promise<HealthAnswer> {
    const response = await fetch(`${await this.app.getUrl()}/${path}`);
    const { details } = (await response.json()) as { details: { events: Record<string, unknown> } };
    const { status, message, ...rest } = details.events;
    return { http: response.status, status: String(status), message: message as string | undefined, rest };
  }

  /** The answers of all three; readiness says what the full check does. */
  async asked() {
    const paths = ['health', 'health/ready', 'health/live'] as const;
    const [all, ready, live] = await Promise.all(paths.map((path) => this.ask(path)));
    expect(ready).toEqual(all);
    return { ready: [all.http, all.status, all.message], live: [live.http, live.message], body: all.rest };
  }
}
