import type { EntityManager } from 'typeorm';
import { NoDatabaseError } from '../../errors/no-database.error.js';

/** An open transaction: what it will change, and what it holds until it ends. */
export class MemoryTransaction {
  /** A token to pass on; there is no database behind it. */
  readonly manager = managerToken();
  /** Ids of the events that it will append. */
  readonly appended = new Set<string>();
  /** Ids of the deliveries that it will settle. */
  readonly settled = new Set<number>();
  /** Applied by the commit, in order and without a pause. Must not throw. */
  readonly changes: (() => void)[] = [];
  /** Called after the commit. */
  readonly callbacks: (() => void)[] = [];
  /** Transactions that must end before this one can go on. */
  readonly waitsFor = new Set<MemoryTransaction>();
  /** Resolves when it has ended, either way. */
  readonly ended: Promise<void>;
  isOpen = true;
  private resolveEnded: () => void = () => {};

  constructor() {
    this.ended = new Promise((resolve) => (this.resolveEnded = resolve));
  }

  end(): void {
    this.isOpen = false;
    this.resolveEnded();
  }
}

function managerToken(): EntityManager {
  return new Proxy({} as EntityManager, {
    get(_target, property) {
      // `await` and inspection ask every value these; they do not use it as a manager.
      if (typeof property === 'symbol' || property === 'then') return undefined;
      throw new NoDatabaseError(property);
    },
  });
}
