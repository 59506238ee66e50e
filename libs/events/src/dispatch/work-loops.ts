import { Inject, Injectable } from '@nestjs/common';
import { Clock, type TimerHandle } from '../clock/clock.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { EventsLogger } from '../observability/events-logger.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import { EventExecutor } from './event-executor.js';
import { EventProcessor } from './event-processor.js';
import { Loop } from './loop.js';
import { News } from './news.js';
import type { Work } from './work-signal.js';

/** How often a node asks whose circuit is open and who is paused, when it is not told: others must know within a second. */
const WATCH_EVERY_MS = 500;

/** Raw events are rare, and their own node fans them out: other nodes claim first, and look for those this much later. */
const LOOK_FOR_RAW_AFTER_MS = 5;

/** A loop that has not ended a turn for this long, beyond its interval, is stalled. */
const STALLED_AFTER_MS = 10_000;
/** Far longer than a turn can wait for a database that has come back, and the wait after its failure. */
const HANGS_AFTER_MS = 60_000;

/**
 * The scheduler: `concurrent` runs processor and executor in a loop each; `cooperative` runs them one after the other in
 * a single loop, so that a node never fans out and claims at the same time.
 */
@Injectable()
export class WorkLoops {
  private readonly logger = new EventsLogger('EventsNode');
  private readonly processing: Loop;
  private readonly executing: Loop;
  /** Goes on while the node is paused: what it shows must be right. */
  private readonly watching: Loop;
  private readonly loops: readonly Loop[];
  private readonly news: News;
  private rawTimer: TimerHandle;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    private readonly clock: Clock,
    @Inject(EVENT_STORE) store: EventStore,
    private readonly executor: EventExecutor,
    processor: EventProcessor,
  ) {
    const watchMs = Math.min(WATCH_EVERY_MS, options.pollIntervalMs);
    const watch = async () => {
      executor.learn(await store.handlerStates());
      return false;
    };
    this.watching = this.loop('watch', watch, () => watchMs);
    this.news = new News(clock, () => this.lookAfterNews());
    const idleMs = () => executor.idleMs();
    const execute = async () => {
      const isNews = this.news.take();
      const more = await executor.turn();
      if (isNews) this.news.found(executor.lastClaimed);
      return more;
    };
    if (options.scheduler === 'cooperative') {
      const turn = async () => {
        const more = await processor.turn();
        return (await execute()) || more;
      };
      this.processing = this.executing = this.loop('scheduler', turn, idleMs);
      this.loops = [this.executing];
    } else {
      this.processing = this.loop(
        'processor',
        () => processor.turn(),
        () => Math.round(options.pollIntervalMs * (1 + Math.random() * 0.2)),
      );
      this.executing = this.loop('executor', execute, idleMs);
      this.loops = [this.processing, this.executing];
    }
  }

  start(): void {
    for (const loop of [...this.loops, this.watching]) loop.start();
  }

  pause(): void {
    for (const loop of this.loops) loop.pause();
  }

  resume(): void {
    for (const loop of this.loops) loop.resume();
  }

  /** Resolves when no turn is under way and none will start. */
  async stop(): Promise<void> {
    this.news.close();
    this.clock.clearTimeout(this.rawTimer);
    await Promise.all([...this.loops, this.watching].map((loop) => loop.stop()));
  }

  /** Another node has told of work. */
  hear(): void {
    this.news.hear();
  }

  /** Wakes whichever loop the work is for. */
  notice({ raw, handlers, dueAt, newcomers }: Work): void {
    if (handlers) {
      this.watching.wake();
      return;
    }
    if (raw) this.processing.wake();
    if (dueAt !== undefined && dueAt > this.clock.now()) this.executor.expect(dueAt);
    if (newcomers) this.executor.admit(newcomers);
    this.executing.wake();
  }

  private lookAfterNews(): void {
    this.executing.wake();
    this.rawTimer ??= this.clock.setTimeout(() => {
      this.rawTimer = undefined;
      this.processing.wake();
    }, LOOK_FOR_RAW_AFTER_MS);
  }

  wakeExecutor(): void {
    this.executing.wake();
  }

  /** Some loop has not ended a turn for far longer than its interval: it hangs in the database, or the process does. */
  get stalled(): boolean {
    return this.isSilent(-Infinity, STALLED_AFTER_MS);
  }

  /** Some loop has not ended a turn since `from` (monotonic), nor for a minute beyond its interval after that. */
  hangsSince(from: number): boolean {
    return this.isSilent(from, HANGS_AFTER_MS);
  }

  private isSilent(from: number, ms: number): boolean {
    const limitMs = 2 * this.options.pollIntervalMs + ms;
    return this.loops.some(({ lastTurnAt }) => this.clock.monotonic() - Math.max(lastTurnAt, from) > limitMs);
  }

  private loop(name: string, turn: () => Promise<boolean>, idleMs: () => number): Loop {
    return new Loop({ name, clock: this.clock, logger: this.logger, turn, idleMs });
  }
}
