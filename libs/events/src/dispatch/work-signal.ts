import { Inject, Injectable } from '@nestjs/common';
import { Clock, type TimerHandle } from '../clock/clock.js';
import { EventsLogger } from '../observability/events-logger.js';
import { EVENT_STORE, type EventStore, type Topic } from '../store/event-store.js';

/** Other nodes are told at most so often: at once when they were not told for so long, else when the time is up. */
const TELL_EVERY_MS = 10;
/**
 * A commit that is alone may tell sooner. On PostgreSQL those that tell wait for one another, until the log is on the disk:
 * one publish after the other does not notice, many at once would.
 */
const TELL_ALONE_EVERY_MS = 1;

/** What there is to do: deliveries to claim, raw events to fan out, deliveries that fall due, handlers to look at anew. */
export interface Work {
  readonly raw?: boolean;
  /** A handler's circuit, or whether it is paused, has changed. */
  readonly handlers?: boolean;
  /** Epoch milliseconds. */
  readonly dueAt?: number;
  /** Handlers that have got deliveries, each with the lowest priority among them. */
  readonly newcomers?: ReadonlyMap<string, number>;
}

/** How a commit with events in it wakes whoever can work on them: the loops of this node at once, other nodes soon. */
@Injectable()
export class WorkSignal {
  private readonly logger = new EventsLogger('EventsNode');
  private readonly listeners = new Set<(work: Work) => void>();
  /** Undefined when no notification is about to go out. */
  private timer: TimerHandle;
  /** Monotonic. */
  private toldAt = -Infinity;
  private closed = false;

  constructor(
    private readonly clock: Clock,
    @Inject(EVENT_STORE) private readonly store: EventStore,
  ) {}

  /** Calls `listener` whenever there is work; it must not throw. */
  listen(listener: (work: Work) => void): void {
    this.listeners.add(listener);
  }

  /**
   * Whether the commit of new work should tell the other nodes itself. Whoever is told yes passes that to `raise`.
   * @param isAlone no other commit of this process is under way.
   */
  shouldTell(isAlone: boolean): boolean {
    const waitMs = this.waitMs(isAlone ? TELL_ALONE_EVERY_MS : TELL_EVERY_MS);
    if (this.timer !== undefined || this.closed || waitMs > 0) return false;
    this.toldAt = this.clock.monotonic();
    return true;
  }

  /** @param told the commit has told the other nodes. */
  raise(work: Work, told = false): void {
    for (const listener of this.listeners) listener(work);
    if (told || this.timer !== undefined || this.closed) return;
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      this.toldAt = this.clock.monotonic();
      // Polling finds what a lost notification has not told.
      this.tell('work');
    }, this.waitMs(TELL_EVERY_MS));
  }

  /** A handler's circuit, or whether it is paused, has changed in the store. */
  handlersChanged(): void {
    for (const listener of this.listeners) listener({ handlers: true });
    if (!this.closed) this.tell('handlers');
  }

  private waitMs(everyMs: number): number {
    return Math.max(0, this.toldAt + everyMs - this.clock.monotonic());
  }

  private tell(topic: Topic): void {
    this.store
      .notify(topic)
      .catch((error: unknown) => this.logger.debug(`could not notify other nodes: ${String(error)}`));
  }

  close(): void {
    this.closed = true;
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.listeners.clear();
  }
}
