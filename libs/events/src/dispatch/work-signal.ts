import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock, type TimerHandle } from '../clock/clock.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';

/** Several publishes within this time make one notification of the other nodes. */
const NOTIFY_EVERY_MS = 10;

/** What there is to do: deliveries to claim, raw events to fan out, or deliveries that fall due at a moment. */
export interface Work {
  readonly raw?: boolean;
  /** Epoch milliseconds. */
  readonly dueAt?: number;
}

/** How a commit with events in it wakes whoever can work on them: the loops of this node at once, other nodes soon. */
@Injectable()
export class WorkSignal {
  private readonly logger = new Logger('EventsNode');
  private readonly listeners = new Set<(work: Work) => void>();
  /** Undefined when no notification is about to go out. */
  private timer: TimerHandle;
  private closed = false;

  constructor(
    private readonly clock: Clock,
    @Inject(EVENT_STORE) private readonly store: EventStore,
  ) {}

  /** Calls `listener` whenever there is work; it must not throw. */
  listen(listener: (work: Work) => void): void {
    this.listeners.add(listener);
  }

  raise(work: Work): void {
    for (const listener of this.listeners) listener(work);
    if (this.timer !== undefined || this.closed) return;
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      // Polling finds what a lost notification has not told.
      this.store
        .notify()
        .catch((error: unknown) => this.logger.debug(`could not notify other nodes: ${String(error)}`));
    }, NOTIFY_EVERY_MS);
  }

  close(): void {
    this.closed = true;
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.listeners.clear();
  }
}
