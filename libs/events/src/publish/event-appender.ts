import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Clock } from '../clock/clock.js';
import { ClusterRegistry } from '../discovery/cluster-registry.js';
import { EventExecutor } from '../dispatch/event-executor.js';
import { WorkSignal } from '../dispatch/work-signal.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { UnhandledEvents } from '../observability/unhandled-events.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { ClaimRequest } from '../store/delivery.store.js';
import type { AppendResult } from '../store/inbox.store.js';
import type { NewEvent } from '../store/records.js';
import type { BuiltEvent } from './event-builder.js';
import type { PublishReceipt } from './publish.types.js';

/** Stores built events with their deliveries, and wakes whoever can work on them once they are committed. */
@Injectable()
export class EventAppender {
  private underWay = 0;

  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly registry: ClusterRegistry,
    private readonly signal: WorkSignal,
    private readonly unhandled: UnhandledEvents,
    private readonly executor: EventExecutor,
    private readonly lifecycle: EventLifecycle,
  ) {}

  /**
   * All or none, in the order given.
   * @param how `manager`: the open transaction to be part of; without, a commit of their own. `lockWaitMs`: how long that
   *   may wait for a lock of another transaction.
   * @throws LockTimeoutError
   */
  async append(
    built: readonly BuiltEvent[],
    { manager, lockWaitMs }: { readonly manager?: EntityManager; readonly lockWaitMs?: number } = {},
  ): Promise<PublishReceipt[]> {
    const { registry } = this;
    // In one go with the version they are of: a newer version on older deliveries would leave out a new handler for good.
    const events = built.map((event) => ({ deliveries: registry.deliveriesOf(event), ...event }));
    const { version: registryVersion } = registry;
    let told = false;
    const append = (claim?: ClaimRequest) => {
      // What this node claims at once is no business of others.
      told = !claim && this.signal.shouldTell(this.underWay === 1);
      const request = { events, registryVersion, now: this.clock.now(), tell: told, claim, lockWaitMs };
      return this.store.append(request, manager);
    };
    this.underWay++;
    let result: AppendResult;
    try {
      result = manager ? await append() : await this.executor.claimWith(handlersOf(events), append);
    } finally {
      this.underWay--;
    }
    // Behind, so the processor owes these a detour, but not the next; a publisher-only node learns of new handlers by this.
    // Before the first load a copy must stay behind: this node's own handlers are to come.
    if (!result.fannedOut && registry.version >= 0) registry.refresh().catch(() => {});
    const committed = () => this.committed(events, result, told);
    if (manager) this.store.afterCommit(manager, committed);
    else committed();
    return events.map(({ id }, index) => ({ id, duplicate: !result.stored[index] }));
  }

  private committed(events: readonly NewEvent[], result: AppendResult, told: boolean): void {
    this.tell(events, result.stored);
    const { stored, fannedOut, claimed } = result;
    const taken = claimed && new Set(claimed.map(({ event, handler }) => `${event.id} ${handler}`));
    let dueAt = Infinity;
    let any = false;
    const newcomers = new Map<string, number>();
    events.forEach((event, index) => {
      if (!stored[index]) return;
      if (fannedOut && event.deliveries.length === 0) {
        this.unhandled.note(event.type);
        return;
      }
      const left = taken
        ? event.deliveries.filter(({ handler }) => !taken.has(`${event.id} ${handler}`))
        : event.deliveries;
      if (fannedOut && left.length === 0) return;
      any = true;
      dueAt = Math.min(dueAt, event.availableAt ?? 0);
      for (const { handler, priority } of left)
        newcomers.set(handler, Math.min(priority, newcomers.get(handler) ?? priority));
    });
    if (any) this.signal.raise({ raw: !fannedOut, dueAt, newcomers }, told);
  }

  private tell(events: readonly NewEvent[], stored: readonly boolean[]): void {
    const { lifecycle } = this;
    if (!lifecycle.wants('published') && !lifecycle.wants('duplicate')) return;
    const counts = new Map<string, number>();
    for (const [index, { id, type }] of events.entries()) {
      if (stored[index]) counts.set(type, (counts.get(type) ?? 0) + 1);
      else lifecycle.emit({ fact: 'duplicate', type, eventId: id });
    }
    for (const [type, count] of counts) lifecycle.emit({ fact: 'published', type, count });
  }
}

function handlersOf(events: readonly NewEvent[]): Set<string> {
  const handlers = new Set<string>();
  for (const { deliveries } of events) for (const { handler } of deliveries) handlers.add(handler);
  return handlers;
}
