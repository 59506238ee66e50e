import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock, TimerHandle } from '../../clock/clock.js';

type Kind = 'statement' | 'start' | 'exclusive';

interface Waiting {
  readonly kind: Kind;
  readonly grant: () => void;
}

/**
 * Who may use the one connection of a SQLite DataSource. There are three kinds of turns:
 *
 *     statement   one statement of the application
 *     start       a transaction of the application, from before its BEGIN; it goes on until the connection has no transaction
 *     exclusive   a transaction of this library
 *
 * - While an exclusive turn lasts, nothing else is let through: a statement would land in that transaction.
 * - An exclusive turn begins only when no statement is on its way and the application has no transaction open.
 * - Turns are given in the order asked. A transaction that starts keeps back those who asked before it began (they
 *   cannot be part of it), but no statement that comes while it is open: that may be its own, nothing tells them apart.
 * - The application's transactions may wait for somebody who is kept back by them. So nobody is kept back by one for
 *   longer than `patienceMs`; after that all proceed as they would with TypeORM alone.
 */
export class ConnectionTurns {
  private readonly queue: Waiting[] = [];
  /** The statement that this code runs for: a subscriber's `afterQuery` may run another, and is awaited by the first. */
  private readonly within = new AsyncLocalStorage<{ underWay: boolean }>();
  private exclusiveOpen = false;
  private starting = false;
  private ending = 0;
  private statementsUnderWay = 0;
  private timer: TimerHandle;

  constructor(
    private readonly inTransaction: () => boolean,
    private readonly clock: Clock,
    private readonly patienceMs: number,
  ) {}

  /** Runs a statement of the application when it may. */
  async statement<T>(run: () => Promise<T>): Promise<T> {
    const mayPass = !this.exclusiveOpen && (this.queue.length === 0 || this.applicationHasIt);
    if (mayPass || this.within.getStore()?.underWay) this.statementsUnderWay++;
    else await this.wait('statement');
    const statement = { underWay: true };
    try {
      return await this.within.run(statement, run);
    } finally {
      statement.underWay = false;
      this.statementsUnderWay--;
      this.giveTurns();
    }
  }

  /** Runs `begin`, which starts a transaction of the application, when no other is open. A nested one starts at once. */
  async start<T>(begin: () => Promise<T>): Promise<T> {
    if (this.applicationHasIt && !this.starting && this.ending === 0) return begin();
    await this.wait('start');
    try {
      return await begin();
    } finally {
      this.starting = false;
      this.giveTurns();
    }
  }

  /** Runs the statement that ends a transaction of the application. */
  async end<T>(run: () => Promise<T>): Promise<T> {
    this.ending++;
    try {
      return await this.statement(run);
    } finally {
      // TypeORM takes note of it in the microtasks after this one: whoever came before would meet the old state.
      setImmediate(() => {
        this.ending--;
        this.giveTurns();
      });
    }
  }

  /** Resolves with the function that ends the turn. */
  async exclusive(): Promise<() => void> {
    await this.wait('exclusive');
    return () => {
      // The next turn of the event loop: the driver is synchronous, so a queue that is worked off in microtasks blocks it.
      setImmediate(() => {
        this.exclusiveOpen = false;
        this.giveTurns();
      });
    };
  }

  private get applicationHasIt(): boolean {
    return this.starting || this.ending > 0 || (!this.exclusiveOpen && this.inTransaction());
  }

  private wait(kind: Kind): Promise<void> {
    return new Promise((grant) => {
      this.queue.push({ kind, grant });
      this.giveTurns();
    });
  }

  private giveTurns(): void {
    while (this.queue[0] && this.isFree(this.queue[0].kind)) this.giveTurn(this.queue.shift() as Waiting);
    this.watch();
  }

  private isFree(kind: Kind): boolean {
    if (this.exclusiveOpen || this.applicationHasIt) return false;
    // A statement that was let through may not have run yet: a BEGIN could overtake it.
    return kind === 'statement' || this.statementsUnderWay === 0;
  }

  private giveTurn({ kind, grant }: Waiting): void {
    if (kind === 'statement') this.statementsUnderWay++;
    if (kind === 'start') this.starting = true;
    if (kind === 'exclusive') this.exclusiveOpen = true;
    grant();
  }

  private watch(): void {
    const blocked = this.queue.length > 0 && this.applicationHasIt;
    if (blocked === (this.timer !== undefined)) return;
    if (blocked) {
      this.timer = this.clock.setTimeout(() => this.loseWhatPatienceIsLeft(), this.patienceMs);
    } else {
      this.clock.clearTimeout(this.timer);
      this.timer = undefined;
    }
  }

  private loseWhatPatienceIsLeft(): void {
    this.timer = undefined;
    // A transaction that was ended behind TypeORM's back (on the native handle) is noticed here.
    if (this.applicationHasIt) {
      const waiting = this.queue.splice(0);
      this.queue.push(...waiting.filter(({ kind }) => kind === 'exclusive'));
      for (const turn of waiting) if (turn.kind !== 'exclusive') this.giveTurn(turn);
    }
    this.giveTurns();
  }
}
