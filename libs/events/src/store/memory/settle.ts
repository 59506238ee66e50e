import type { Settlement } from '../records.js';
import type { MemoryDatabase } from './memory-database.js';
import { deliveryNames } from './memory-locks.js';
import type { MemoryTransaction } from './memory-transaction.js';

/** Writes outcomes whose leases hold, as one step. */
export async function settle(
  database: MemoryDatabase,
  node: number,
  settlements: readonly Settlement[],
  now: number,
): Promise<boolean[]> {
  // Encoded before anything is written: a call that fails has changed nothing.
  const failures = settlements.map(encodeFailure);
  const write = (settlement: Settlement, index: number) => {
    const row = database.leased(node, settlement);
    if (row) database.writeOutcome(row, settlement, failures[index] ?? null, now);
    return row !== undefined;
  };
  return database.locks.whenFree(
    () => deliveryNames(settlements),
    () => settlements.map(write),
  );
}

/** Writes one outcome with the commit of `transaction`, which holds the delivery until then. */
export async function settleIn(
  database: MemoryDatabase,
  transaction: MemoryTransaction,
  node: number,
  settlement: Settlement,
  now: number,
): Promise<boolean> {
  const failure = encodeFailure(settlement);
  const write = () => {
    const row = database.leased(node, settlement);
    if (!row || transaction.settled.has(row.id)) return false;
    transaction.settled.add(row.id);
    transaction.changes.push(() => database.writeOutcome(row, settlement, failure, now));
    return true;
  };
  return database.locks.whenFree(() => deliveryNames([settlement]), write, transaction);
}

function encodeFailure(settlement: Settlement): string | null {
  return 'failure' in settlement && settlement.failure ? JSON.stringify(settlement.failure) : null;
}
