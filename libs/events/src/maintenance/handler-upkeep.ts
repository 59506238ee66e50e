import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { EventsLogger } from '../observability/events-logger.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';

/** Deliveries a statement expires at most. */
const BATCH = 500;
/**
 * After a stop of the whole cluster the first node that comes back must not retire the handlers of those that are still
 * starting: it has to have been there for `retireAfter` itself, or for this long.
 */
const LONGEST_GRACE_MS = 600_000;

/** Looks after the handlers of the cluster: which are there, which have gone for good, and what waits for those. */
@Injectable()
export class HandlerUpkeep {
  private readonly logger = new EventsLogger('Maintenance');
  private readonly reported = new Set<string>();

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: Pick<ResolvedEventsOptions, 'retireAfterMs'>,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
  ) {}

  /** @param steadyMs how long this node has beaten without a break. */
  async run(steadyMs: number): Promise<void> {
    const { retireAfterMs } = this.options;
    const now = this.clock.now();
    await this.store.touchHandlers(now);
    if (steadyMs >= Math.min(retireAfterMs, LONGEST_GRACE_MS)) {
      for (const name of await this.store.retireAbsent(now - retireAfterMs, now)) {
        this.logger.warn(`handler ${name} is retired: no live node has had it for ${retireAfterMs} ms`, {
          handler: name,
          retireAfterMs,
        });
      }
    }
    await this.expire();
    await this.reportAbsent();
  }

  /** What waits for retired handlers becomes dead letters, or goes to the handlers that have adopted them. */
  async expire(): Promise<void> {
    let expired = 0;
    for (let batch = BATCH; batch === BATCH; expired += batch) {
      batch = await this.store.expireRetired(this.clock.now(), BATCH);
    }
    if (expired > 0)
      this.logger.warn(`${expired} deliveries of retired handlers are dead letters (expired) or adopted`, {
        deliveries: expired,
      });
  }

  /** Handlers that no live node has, and that have deliveries waiting: said when it begins, and when it ends. */
  private async reportAbsent(): Promise<void> {
    const [handlers, backlogs] = await Promise.all([this.store.listHandlers(), this.store.backlog()]);
    const waiting = new Map(backlogs.map(({ handler, pending, scheduled }) => [handler, pending + scheduled]));
    for (const { name, nodes, retiredAt, lastSeen } of handlers) {
      const count = waiting.get(name) ?? 0;
      const isAbsent = nodes.length === 0 && retiredAt === null && count > 0;
      if (isAbsent && !this.reported.has(name)) {
        this.reported.add(name);
        this.logger.warn(
          `no live node has handler ${name}: ${count} deliveries wait for one (last seen ${new Date(lastSeen).toISOString()})`,
          { handler: name, deliveries: count, lastSeen: new Date(lastSeen).toISOString() },
        );
      } else if (!isAbsent && this.reported.delete(name) && nodes.length > 0) {
        this.logger.log(`handler ${name} is on a live node again`, { handler: name });
      }
    }
  }
}
