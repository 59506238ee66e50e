import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { inspect } from 'node:util';
import { Clock } from '../clock/clock.js';
import { EventsNode } from '../dispatch/events-node.service.js';
import { parseDuration, type Duration } from '../duration.js';
import { EventsStats } from '../observability/events-stats.service.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';

export interface EventsHealthOptions {
  /** Degraded when a pending delivery is older than this. */
  maxLag?: Duration;
  /** Degraded when there are more dead letters than this. */
  maxDeadLetters?: number;
}

/** How long the database may take to answer. */
const QUERY_TIMEOUT_MS = 1_000;

/**
 * Health of this node for Terminus. Up: healthy. Degraded (HTTP 200): a circuit is open, a share of the handlers is
 * failing, the node is paused, or a threshold is passed. Down (HTTP 503): most handlers fail, the node drains, its loops
 * are stalled, or the database does not answer within a second. Never rejects: Terminus would make that a 500.
 */
@Injectable()
export class EventsHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly node: EventsNode,
    private readonly stats: EventsStats,
    private readonly clock: Clock,
  ) {}

  async isHealthy<const Key extends string>(
    key: Key,
    options: EventsHealthOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const indicator = this.indicators.check(key);
    try {
      const { handlers, total } = this.stats.snapshot();
      const { status: node, stalled } = this.node;
      const { maxDeadLetters } = options;
      const [database, deadLetters] = await Promise.all([
        this.query(() => this.store.ping()),
        maxDeadLetters === undefined ? undefined : this.query(() => this.store.countDeadLetters({})),
      ]);
      const concerns: string[] = [];
      const { maxLag } = options;
      const maxLagMs = maxLag === undefined ? Infinity : (parseDuration(maxLag) ?? fail('maxLag', maxLag));
      if (total.health !== 'healthy') concerns.push(total.health);
      if ((total.oldestPendingMs ?? 0) > maxLagMs)
        concerns.push(`oldest pending delivery is ${total.oldestPendingMs} ms old`);
      if (deadLetters?.up && deadLetters.value > (maxDeadLetters ?? Infinity))
        concerns.push(`${deadLetters.value} dead letters`);
      if (node === 'paused') concerns.push('node is paused');
      const problems: string[] = [];
      if (total.health === 'unhealthy') problems.push('most handlers are failing');
      if (node === 'draining' || node === 'stopped') problems.push(`node is ${node}`);
      if (stalled) problems.push('loops are stalled');
      if (!database.up) problems.push(`database: ${database.reason}`);
      else if (deadLetters?.up === false) problems.push(`dead letters: ${deadLetters.reason}`);

      const data = {
        state: total.health,
        node,
        ...(problems.length + concerns.length > 0 && { message: [...problems, ...concerns].join('; ') }),
        handlers: Object.fromEntries(
          Object.entries(handlers).map(([name, { health: state, circuit }]) => [name, { state, circuit }]),
        ),
      };
      if (problems.length > 0) return indicator.down(data);
      return concerns.length > 0 ? indicator.degraded(data) : indicator.up(data);
    } catch (error) {
      return indicator.down({ message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The database's answer, or the reason why there was none in time. */
  private async query<T>(run: () => Promise<T>): Promise<{ up: true; value: T } | { up: false; reason: string }> {
    let timer: unknown;
    const timeout = new Promise<{ up: false; reason: string }>((resolve) => {
      const reason = `no answer within ${QUERY_TIMEOUT_MS} ms`;
      timer = this.clock.setTimeout(() => resolve({ up: false, reason }), QUERY_TIMEOUT_MS);
    });
    const answer = run().then(
      (value) => ({ up: true as const, value }),
      (error: unknown) => ({ up: false as const, reason: error instanceof Error ? error.message : String(error) }),
    );
    const result = await Promise.race([answer, timeout]);
    this.clock.clearTimeout(timer);
    return result;
  }
}

function fail(option: string, value: unknown): never {
  throw new TypeError(`isHealthy: ${option} must be a duration, but is ${inspect(value)}`);
}
