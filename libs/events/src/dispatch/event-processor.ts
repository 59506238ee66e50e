import { Inject, Injectable } from '@nestjs/common';
import { ClusterRegistry } from '../discovery/cluster-registry.js';
import { Clock } from '../clock/clock.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { UnhandledEvents } from '../observability/unhandled-events.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import { WorkSignal } from './work-signal.js';

/** Fans out the events that are stored raw: those of other programs, and those published while the registry changed. */
@Injectable()
export class EventProcessor {
  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly registry: ClusterRegistry,
    private readonly unhandled: UnhandledEvents,
    private readonly signal: WorkSignal,
    private readonly lifecycle: EventLifecycle,
  ) {}

  /** One turn; true when the batch was full, or when it must be tried again with a fresh copy of the registry. */
  async turn(): Promise<boolean> {
    const { batchSize } = this.options;
    const result = await this.store.fanOut({
      limit: batchSize,
      registryVersion: this.registry.version,
      now: this.clock.now(),
      match: (event) => this.registry.deliveriesOf(event),
    });
    if (result.stale) {
      await this.registry.refresh();
      return true;
    }
    const { events, deliveries } = result;
    if (events > 0) this.lifecycle.emit({ fact: 'fannedOut', events, deliveries });
    for (const type of result.unhandled) this.unhandled.note(type);
    // A delayed event's due time is not told here: the executor looks at it when it stages next.
    if (result.deliveries > 0) this.signal.raise({ dueAt: this.clock.now() });
    return result.events === batchSize;
  }
}
