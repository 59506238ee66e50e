import type { AttemptFailure } from '../records.js';
import type { MemoryDatabase } from './memory-database.js';
import { deliveryNames } from './memory-locks.js';
import type { DeliveryRow } from './memory-rows.js';

/** Takes a node out and ends its leases; waits for transactions that settle one of them. */
export async function removeNode(database: MemoryDatabase, node: number, now: number, beat?: number): Promise<boolean> {
  const rows = () => [...database.live.values()].filter((row) => row.leaseNode === node);
  const remove = () => {
    const record = database.nodes.get(node);
    if (!record || (beat !== undefined && record.beat !== beat)) return false;
    database.nodes.delete(node);
    database.registry.leave(node);
    endLeases(database, rows(), () => record.label, now);
    return true;
  };
  return database.locks.whenFree(() => deliveryNames(rows()), remove);
}

/** Ends leases of nodes that are not registered; answers how many. */
export async function rescueOrphans(database: MemoryDatabase, now: number): Promise<number> {
  const rows = () =>
    [...database.live.values()].filter((row) => row.leaseNode !== null && !database.nodes.has(row.leaseNode));
  const rescue = () => {
    const orphans = rows();
    endLeases(database, orphans, (row) => `node ${row.leaseNode}`, now);
    return orphans.length;
  };
  return database.locks.whenFree(() => deliveryNames(rows()), rescue);
}

/** Of the leases that a node has in one lane only the first was under way. */
function endLeases(
  database: MemoryDatabase,
  rows: readonly DeliveryRow[],
  labelOf: (row: DeliveryRow) => string,
  now: number,
): void {
  const isBehind = (row: DeliveryRow) => {
    const leased = [...(database.lanes.of(row)?.leased ?? [])];
    return leased.some((one) => one.leaseNode === row.leaseNode && one.event.stored.seq < row.event.stored.seq);
  };
  const behind = new Set(rows.filter(isBehind));
  for (const row of rows) {
    database.takeBack(row, behind.has(row) ? undefined : nodeLost(row, labelOf(row), now));
  }
}

export function nodeLost({ attempts, crashes }: DeliveryRow, node: string, at: number): AttemptFailure {
  const message = 'the node that ran this attempt is gone';
  return { at, attempt: attempts + crashes + 1, name: 'node-lost', message, node };
}

/** Takes a live delivery out; waits for a transaction that settles it. */
export async function cancel(database: MemoryDatabase, deliveryId: number, now: number): Promise<boolean> {
  const end = () => {
    const row = database.live.get(deliveryId);
    if (row) database.cancel(row, now);
    return row !== undefined;
  };
  return database.locks.whenFree(() => deliveryNames([{ id: deliveryId }]), end);
}
