import { DeadlockError } from '../../errors/deadlock.error.js';
import { NoTransactionError } from '../../errors/no-transaction.error.js';
import type { MemoryTransaction } from './memory-transaction.js';

/** What open transactions hold: event ids, ordering keys and deliveries, by name. Nothing else holds a lock: all other verbs are one step. */
export class MemoryLocks {
  private readonly holders = new Map<string, MemoryTransaction>();

  /**
   * Runs `work` as one step as soon as no other transaction holds any of `names` (asked again after every wait). For a
   * transaction, the names are its own from then to its end.
   * @throws DeadlockError when the holder waits for `transaction`.
   */
  async whenFree<T>(names: () => readonly string[], work: () => T, transaction?: MemoryTransaction): Promise<T> {
    for (let taken = this.taken(names(), transaction); taken; taken = this.taken(names(), transaction)) {
      await this.waitFor(taken.holder, taken.name, transaction);
    }
    if (transaction) {
      if (!transaction.isOpen) throw new NoTransactionError();
      for (const name of names()) this.holders.set(name, transaction);
    }
    return work();
  }

  release(transaction: MemoryTransaction): void {
    for (const [name, holder] of this.holders) if (holder === transaction) this.holders.delete(name);
  }

  private taken(names: readonly string[], transaction: MemoryTransaction | undefined) {
    if (this.holders.size === 0) return undefined;
    for (const name of names) {
      const holder = this.holders.get(name);
      if (holder && holder !== transaction) return { name, holder };
    }
    return undefined;
  }

  private async waitFor(holder: MemoryTransaction, name: string, transaction?: MemoryTransaction): Promise<void> {
    if (!transaction) return holder.ended;
    if (waits(holder, transaction)) throw new DeadlockError(name);
    transaction.waitsFor.add(holder);
    await holder.ended;
    transaction.waitsFor.delete(holder);
  }
}

function waits(waiter: MemoryTransaction, target: MemoryTransaction): boolean {
  return [...waiter.waitsFor].some((holder) => holder === target || waits(holder, target));
}

export function deliveryNames(rows: readonly { readonly id: number }[]): string[] {
  return rows.map((row) => `delivery:${row.id}`);
}
