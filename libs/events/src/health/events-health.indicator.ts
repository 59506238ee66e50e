import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { Clock } from '../clock/clock.js';
import { EventsNode } from '../dispatch/events-node.service.js';
import { Maintenance } from '../maintenance/maintenance.js';
import { EventsStats, type StatsSnapshot } from '../observability/events-stats.service.js';
import { UnhandledEvents } from '../observability/unhandled-events.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { HandlerRecord } from '../store/handler.store.js';
import { checkHandlerNames, readHealthOptions, type EventsHealthOptions, type HealthLimits } from './health-options.js';
import { reasonOf, timedQuery, type TimedAnswer } from './timed-query.js';

/** Where the options stand, for messages. */
const PLACE = 'EventsHealthIndicator';

/** A handler that the cluster knows and no live node has: what waits for it, waits on. */
interface AbsentHandler {
  readonly handler: string;
  /** Deliveries that wait for it, as of the last sample. */
  readonly waiting: number;
}

/** What the database says. */
interface Answers {
  readonly ping: TimedAnswer<number>;
  readonly handlers: TimedAnswer<HandlerRecord[]>;
  /** Of the whole cluster, if there is a limit. */
  readonly deadLetters: TimedAnswer<number> | undefined;
  readonly deadLettersOf: ReadonlyMap<string, TimedAnswer<number>>;
}

/**
 * Health of this node for Terminus. Up: healthy. Degraded (HTTP 200): a circuit is open, a share of the handlers is
 * failing, the node is paused, deliveries wait for a handler that no node has, or a limit is passed. Down (HTTP 503): most
 * handlers fail, the node drains, its loops are stalled, an option is wrong, or the database does not answer within a
 * second. No method rejects: Terminus would make that a 500.
 */
@Injectable()
export class EventsHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly node: EventsNode,
    private readonly stats: EventsStats,
    private readonly maintenance: Maintenance,
    private readonly unhandled: UnhandledEvents,
    private readonly clock: Clock,
  ) {}

  /**
   * Whether a restart would help: down when the node has stopped, or when its loops hang although the database answers.
   * It asks nobody, so that no outage of the database makes an orchestrator restart the application.
   */
  liveness<const Key extends string>(key: Key): HealthIndicatorResult<Key> {
    const { status: node, hangs } = this.node;
    const indicator = this.indicators.check(key);
    if (node === 'stopped') return indicator.down({ node, message: 'node is stopped' });
    if (hangs) return indicator.down({ node, message: 'loops hang, although the database answers' });
    return indicator.up({ node });
  }

  /** Whether this node can do its work now; the same as `isHealthy`. */
  readiness<const Key extends string>(
    key: Key,
    options: EventsHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    return this.isHealthy(key, options);
  }

  /** Everything that can be said; asks the database for what it takes a second at most to answer. */
  async isHealthy<const Key extends string>(
    key: Key,
    options: EventsHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const indicator = this.indicators.check(key);
    try {
      const stats = this.stats.snapshot();
      const { status: node, stalled, heartbeatAgeMs } = this.node;
      const limits = readHealthOptions(PLACE, options, Object.keys(stats.handlers));
      const answers = await this.ask(limits);
      const { ping, handlers } = answers;
      if (handlers.up) {
        const known = [...Object.keys(stats.handlers), ...handlers.value.map(({ name }) => name)];
        checkHandlerNames(PLACE, options, [...new Set(known)]);
      }
      const absent = handlers.up ? this.absent(handlers.value) : [];

      const problems: string[] = [];
      if (stats.total.health === 'unhealthy') problems.push('most handlers are failing');
      if (node === 'draining' || node === 'stopped') problems.push(`node is ${node}`);
      if (stalled) problems.push('loops are stalled');
      problems.push(...withoutAnswer(answers));
      const concerns = [
        ...(stats.total.health === 'healthy' ? [] : [stats.total.health]),
        ...this.overLag(limits, stats),
        ...overDeadLetters(limits, answers),
        ...absent
          .filter(({ waiting }) => waiting > 0)
          .map(({ handler, waiting }) => `no node has ${handler}: ${waiting} deliveries wait`),
        ...(node === 'paused' ? ['node is paused'] : []),
      ];

      const data = {
        state: stats.total.health,
        node,
        ...(problems.length + concerns.length > 0 && { message: [...problems, ...concerns].join('; ') }),
        roundTripMs: ping.up ? ping.tookMs : null,
        heartbeatAgeMs,
        unhandled: this.unhandled.count,
        absent,
        handlers: Object.fromEntries(
          Object.entries(stats.handlers).map(([name, { health: state, circuit, oldestPendingMs: lagMs }]) => [
            name,
            { state, circuit, lagMs },
          ]),
        ),
      };
      if (problems.length > 0) return indicator.down(data);
      return concerns.length > 0 ? indicator.degraded(data) : indicator.up(data);
    } catch (error) {
      return indicator.down({ message: reasonOf(error) });
    }
  }

  /** All questions at once. */
  private async ask({ deadLetters, deadLettersOf }: HealthLimits): Promise<Answers> {
    const { store, clock } = this;
    const count = (handler?: string) =>
      timedQuery(clock, () => store.countDeadLetters(handler === undefined ? {} : { handler }));
    const [ping, handlers, ofAll, ofEach] = await Promise.all([
      timedQuery(clock, () => store.ping()),
      timedQuery(clock, () => store.listHandlers()),
      deadLetters === undefined ? undefined : count(),
      Promise.all([...deadLettersOf.keys()].map(async (handler) => [handler, await count(handler)] as const)),
    ]);
    return { ping, handlers, deadLetters: ofAll, deadLettersOf: new Map(ofEach) };
  }

  private absent(handlers: readonly HandlerRecord[]): AbsentHandler[] {
    return handlers
      .filter(({ nodes, retiredAt }) => nodes.length === 0 && retiredAt === null)
      .map(({ name }) => {
        const { pending = 0, scheduled = 0 } = this.sampleOf(name) ?? {};
        return { handler: name, waiting: pending + scheduled };
      });
  }

  private overLag({ lagMs }: HealthLimits, { handlers }: StatsSnapshot): string[] {
    return [...lagMs].flatMap(([name, limit]) => {
      const oldestAt = this.sampleOf(name)?.oldestPendingAt ?? null;
      // Of another node's handler there is only the sample.
      const elsewhere = oldestAt === null ? null : this.clock.now() - oldestAt;
      const ageMs = (Object.hasOwn(handlers, name) ? handlers[name].oldestPendingMs : elsewhere) ?? 0;
      return ageMs > limit ? [`oldest pending delivery of ${name} is ${ageMs} ms old`] : [];
    });
  }

  private sampleOf(name: string) {
    return this.maintenance.backlog.find(({ handler }) => handler === name);
  }
}

/** That the database does not answer is said once. */
function withoutAnswer({ ping, handlers, deadLetters, deadLettersOf }: Answers): string[] {
  if (!ping.up) return [`database: ${ping.reason}`];
  if (!handlers.up) return [`handlers: ${handlers.reason}`];
  const failed = [deadLetters, ...deadLettersOf.values()].find((answer) => answer?.up === false);
  return failed?.up === false ? [`dead letters: ${failed.reason}`] : [];
}

function overDeadLetters(limits: HealthLimits, { deadLetters, deadLettersOf }: Answers): string[] {
  const over: string[] = [];
  if (deadLetters?.up && deadLetters.value > (limits.deadLetters ?? Infinity))
    over.push(`${deadLetters.value} dead letters`);
  for (const [handler, letters] of deadLettersOf) {
    if (letters.up && letters.value > (limits.deadLettersOf.get(handler) ?? Infinity))
      over.push(`${letters.value} dead letters of ${handler}`);
  }
  return over;
}
