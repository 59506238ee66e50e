import { AsyncLocalStorage } from 'node:async_hooks';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { NoTransactionError } from '../errors/no-transaction.error.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';

const ENDED =
  'the transaction around this call has ended already: await everything that belongs to a transaction inside it, and start what goes on for longer outside';

/**
 * The transaction that `publisher.transaction` and `context.transaction` open, known to everything that runs inside it:
 * a publish that names no manager joins it (on a connection of its own it would wait for locks that the transaction
 * itself holds), and a nested call joins instead of opening another.
 */
@Injectable()
export class AmbientTransaction {
  private readonly storage = new AsyncLocalStorage<{ readonly manager: EntityManager; open: boolean }>();

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  /** @throws NoTransactionError in what the transaction's work has left running when it ended. */
  get manager(): EntityManager | undefined {
    const scope = this.storage.getStore();
    if (scope?.open === false) throw new NoTransactionError(ENDED);
    return scope?.manager;
  }

  /** Runs `work` in the ambient transaction if there is one, else in a new one, which is then ambient. */
  async run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const outer = this.manager;
    if (outer) return work(outer);
    return this.store.transaction(async (manager) => {
      const scope = { manager, open: true };
      try {
        return await this.storage.run(scope, () => work(manager));
      } finally {
        scope.open = false;
      }
    });
  }
}
