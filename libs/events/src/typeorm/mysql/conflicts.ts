import type { MysqlError } from './native-pool.js';

/** A lock was waited for in vain. */
export const LOCK_WAIT_TIMEOUT = 1205;
const DEADLOCK = 1213;
/** MariaDB with `innodb_snapshot_isolation`: the row has changed since the transaction's snapshot. */
const RECORD_CHANGED = 1020;

/** The server has chosen this transaction to give way to another: everything it did is, or is to be, rolled back. */
export function isConflict(error: unknown): boolean {
  return [LOCK_WAIT_TIMEOUT, DEADLOCK, RECORD_CHANGED].includes((error as MysqlError).errno ?? 0);
}
