import { Inject, Injectable } from '@nestjs/common';
import { compilePattern, type EventPattern } from '../envelope/event-pattern.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { NewDelivery, RegisteredHandler, RegistrySnapshot } from '../store/records.js';

/** Event types whose subscribers are remembered; beyond that the memory starts anew. */
const MOST_REMEMBERED_TYPES = 10_000;

interface Subscriber {
  readonly handler: RegisteredHandler;
  readonly patterns: readonly EventPattern[];
}

/**
 * This node's copy of the cluster's handlers, from which fan-out is made. Every use says which version it used, and the
 * store refuses a copy that is behind; so a copy may be old, never wrong. Before it is first loaded its version is -1,
 * which no registry has: events published then are stored raw and fanned out later.
 */
@Injectable()
export class ClusterRegistry {
  private snapshot: RegistrySnapshot = { version: -1, handlers: [] };
  private subscribers: readonly Subscriber[] = [];
  private readonly byType = new Map<string, readonly RegisteredHandler[]>();
  private loading: Promise<void> | undefined;

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  get version(): number {
    return this.snapshot.version;
  }

  get handlers(): readonly RegisteredHandler[] {
    return this.snapshot.handlers;
  }

  /** Loads the registry; callers at the same time share one load. */
  refresh(): Promise<void> {
    this.loading ??= this.load().finally(() => (this.loading = undefined));
    return this.loading;
  }

  /** The deliveries of an event: one per subscribed handler. The event's own priority goes over the handler's. */
  deliveriesOf(event: { type: string; orderingKey: string | null; priority: number | null }): NewDelivery[] {
    return this.subscribersOf(event.type).map(({ name, priority, ordered }) => ({
      handler: name,
      priority: event.priority ?? priority,
      orderingKey: ordered ? event.orderingKey : null,
    }));
  }

  private subscribersOf(type: string): readonly RegisteredHandler[] {
    let found = this.byType.get(type);
    if (!found) {
      found = this.subscribers
        .filter(({ patterns }) => patterns.some((p) => p.matches(type)))
        .map(({ handler }) => handler);
      if (this.byType.size >= MOST_REMEMBERED_TYPES) this.byType.clear();
      this.byType.set(type, found);
    }
    return found;
  }

  private async load(): Promise<void> {
    const snapshot = await this.store.loadRegistry();
    this.subscribers = snapshot.handlers.map((handler) => ({
      handler,
      patterns: handler.patterns.map(compilePattern),
    }));
    this.byType.clear();
    this.snapshot = snapshot;
  }
}
