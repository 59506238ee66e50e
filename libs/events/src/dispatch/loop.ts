import type { Clock, TimerHandle } from '../clock/clock.js';
import { stackOf } from '../errors/stack-of.js';
import type { EventsLogger } from '../observability/events-logger.js';

export interface LoopOptions {
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Pick<EventsLogger, 'log' | 'error'>;
  /** How long an idle loop waits when nothing wakes it, milliseconds; jitter included. */
  readonly idleMs: () => number;
  /** One turn; true when it got a full batch, so that the next follows at once. */
  readonly turn: () => Promise<boolean>;
}

const FIRST_ERROR_WAIT_MS = 100;
const LONGEST_ERROR_WAIT_MS = 10_000;

/**
 * Repeats a turn: at once after a full batch, else on a wake-up or after the idle interval. A turn that throws is logged
 * and tried again after a growing wait. Everything runs in the async context in which the loop was started, whoever
 * wakes it: a request's AsyncLocalStorage never reaches a handler.
 */
export class Loop {
  private running = false;
  private paused = false;
  private woken = false;
  private done: Promise<void> = Promise.resolve();
  private interrupt: (() => void) | undefined;
  private failures = 0;
  /** Monotonic time of the last turn's end; for telling a stalled loop. */
  lastTurnAt: number;

  constructor(private readonly options: LoopOptions) {
    this.lastTurnAt = options.clock.monotonic();
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.lastTurnAt = this.options.clock.monotonic();
    this.done = this.run();
  }

  /** Makes the next turn start now. Safe at any time, cheap when the loop is busy. */
  wake(): void {
    this.woken = true;
    if (this.failures === 0) this.interrupt?.();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.lastTurnAt = this.options.clock.monotonic();
    this.wake();
  }

  /** Resolves when the turn under way has ended; no other will start. */
  async stop(): Promise<void> {
    this.running = false;
    this.interrupt?.();
    await this.done;
  }

  private async run(): Promise<void> {
    while (this.running) {
      this.woken = false;
      const again = !this.paused && (await this.attemptTurn());
      // Others get their turn of the event loop, however much work there is.
      if (again || this.wokenNow) await new Promise<void>((resolve) => setImmediate(resolve));
      else await this.idle();
    }
  }

  private get wokenNow(): boolean {
    return this.woken && this.failures === 0;
  }

  private async attemptTurn(): Promise<boolean> {
    const { turn, clock, logger, name } = this.options;
    try {
      const full = await turn();
      if (this.failures > 0)
        logger.log(`${name} works again after ${this.failures} failed turns`, { loop: name, failures: this.failures });
      this.failures = 0;
      return full;
    } catch (error) {
      this.failures++;
      if (this.failures === 1) logger.error(`${name} failed and will try again`, { loop: name }, stackOf(error));
      return false;
    } finally {
      this.lastTurnAt = clock.monotonic();
    }
  }

  /** Waits for a wake-up, at most the idle interval; after failures a growing wait that nothing but stop() cuts short. */
  private async idle(): Promise<void> {
    const { clock, idleMs } = this.options;
    if (!this.running) return;
    const errorWaitMs = Math.min(FIRST_ERROR_WAIT_MS * 2 ** Math.min(this.failures - 1, 20), LONGEST_ERROR_WAIT_MS);
    let timer: TimerHandle;
    await new Promise<void>((resolve) => {
      this.interrupt = resolve;
      timer = clock.setTimeout(resolve, this.failures > 0 ? errorWaitMs : idleMs());
    });
    this.interrupt = undefined;
    clock.clearTimeout(timer);
  }
}
