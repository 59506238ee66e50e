import { AsyncLocalStorage } from 'node:async_hooks';
import { Inject, Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';

/**
 * The transaction that `publisher.transaction` and `context.transaction` open, known to everything that runs inside it:
 * a publish that names no manager joins it (on a connection of its own it would wait for locks that the transaction
 * itself holds), and a nested call joins instead of opening another.
 */
@Injectable()
export class AmbientTransaction {
  private readonly storage = new AsyncLocalStorage<EntityManager>();

  constructor(@Inject(EVENT_STORE) private readonly store: EventStore) {}

  get manager(): EntityManager | undefined {
    return this.storage.getStore();
  }

  /** Runs `work` in the ambient transaction if there is one, else in a new one, which is then ambient. */
  run<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    const outer = this.manager;
    return outer
      ? work(outer)
      : this.store.transaction((manager) => this.storage.run(manager, () => work(manager)));
  }

  /** Runs `work` outside any ambient transaction: for loops that must not inherit a request's. */
  exit<T>(work: () => T): T {
    return this.storage.exit(work);
  }
}
