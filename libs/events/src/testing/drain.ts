import type { HandlerRegistry } from '../discovery/handler.registry.js';
import { NotIdleError } from '../errors/not-idle.error.js';
import { describeOutcome, outcomeOf } from './delivery-outcome.js';
import type { TestWorld } from './test-world.js';

/** How far `drain` goes. */
export interface DrainOptions {
  /**
   * Also what is not due yet: moves the clock from one due moment (a retry, a delayed event, an open circuit's next trial)
   * to the next until no delivery waits. Default false: time stands still.
   */
  advance?: boolean;
  /** How often `advance` may move the clock. Default 1,000. */
  limit?: number;
  /** How long, in real milliseconds, a handler may run. Default 2,000. */
  patience?: number;
}

/** Looks that must find nothing changed before all is taken to be at rest; each lets the event loop turn several times. */
const LOOKS_AT_REST = 3;
/** Without any rest, events and changes after which they are taken to go round in circles. */
const MOST_EVENTS = 10_000;
const MOST_CHANGES = 10_000;

/** Waits until a test's nodes have nothing more to do. */
export class Drain {
  private readonly advance: boolean;
  private readonly limit: number;
  private readonly patience: number;

  constructor(
    private readonly world: TestWorld,
    private readonly handlers: HandlerRegistry,
    { advance = false, limit = 1_000, patience = 2_000 }: DrainOptions,
  ) {
    this.advance = advance;
    this.limit = limit;
    this.patience = patience;
  }

  /** @throws NotIdleError */
  async run(): Promise<void> {
    const { clock } = this.world;
    await this.rest();
    for (let moves = 0; this.advance && this.waits; moves++) {
      if (moves === this.limit) this.giveUp(`after ${moves} moves of the clock there is always more`);
      const dueAt = this.nextDueAt();
      if (dueAt === Infinity) this.giveUp('no passing of time lets this run');
      await clock.advance(Math.max(0, dueAt - clock.now()));
      await this.rest();
    }
  }

  /** Lets everything run that can run at this moment. */
  private async rest(): Promise<void> {
    const { clock, database } = this.world;
    const events = database.eventsById.size;
    let seen = '';
    let same = 0;
    let runningSince = performance.now();
    for (let changes = 0; same < LOOKS_AT_REST;) {
      await clock.advance(0);
      const now = this.fingerprint;
      same = now === seen ? same + 1 : 0;
      if (now !== seen) {
        seen = now;
        runningSince = performance.now();
        if (++changes > MOST_CHANGES || database.eventsById.size - events > MOST_EVENTS) {
          this.giveUp('events seem to go round in circles');
        }
      }
      if (this.running === 0) continue;
      // A handler waits for something outside: real time passes, the clock stands still.
      same = 0;
      if (performance.now() - runningSince > this.patience) this.giveUp(`a handler has run for ${this.patience} ms`);
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
  }

  private get running(): number {
    let running = 0;
    for (const count of this.world.running) running += count();
    return running;
  }

  /** Changes whenever a delivery, an event or a lease does. */
  private get fingerprint(): string {
    const { raw, eventsById, live, history, dead } = this.world.database;
    let claims = 0;
    for (const row of live.values()) claims += row.claims + (row.leaseNode === null ? 0 : 0.5);
    return [raw.size, eventsById.size, live.size, history.size, dead.size, claims].join();
  }

  private get waits(): boolean {
    const { raw, live } = this.world.database;
    return raw.size > 0 || live.size > 0;
  }

  /** The next moment at which anything that waits may go on; Infinity when none will come by itself. */
  private nextDueAt(): number {
    const { database, clock } = this.world;
    const soon = clock.now() + (clock.nextTimerInMs ?? Infinity);
    let dueAt = database.raw.size > 0 ? soon : Infinity;
    for (const { handler, state, availableAt } of database.live.values()) {
      const row = database.registry.get(handler);
      const definition = this.handlers.get(handler);
      if (!row || !definition || row.paused) continue;
      const circuit = definition.options.circuit;
      const opens =
        circuit === false || row.circuit.openedAt === null ? 0 : row.circuit.openedAt + circuit.openDurationMs;
      const at = Math.max(availableAt ?? 0, opens);
      // What could run now but does not (after an error, or while trials are under way) waits for a timer of its node.
      dueAt = Math.min(dueAt, state === 'scheduled' && at > clock.now() ? at : Math.max(at, soon));
    }
    return dueAt;
  }

  private giveUp(why: string): never {
    const { database } = this.world;
    const waiting = [
      ...[...database.raw].map(({ stored }) => `${stored.type} ${stored.id} is not fanned out`),
      ...[...database.live.values()].map((row) => describeOutcome(outcomeOf(row)) + this.held(row.handler)),
    ];
    const shown = waiting.length > 20 ? [...waiting.slice(0, 20), `and ${waiting.length - 20} more`] : waiting;
    throw new NotIdleError(why, shown);
  }

  private held(handler: string): string {
    const row = this.world.database.registry.get(handler);
    if (!row || !this.handlers.get(handler)) return '; its handler is on no node of this test';
    if (row.paused) return '; its handler is paused';
    return row.circuit.state === 'closed' ? '' : `; its circuit is ${row.circuit.state}`;
  }
}
