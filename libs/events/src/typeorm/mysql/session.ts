import { VERB_LIMIT_MS } from '../engine.js';

/** How long a statement waits for a lock. */
export const LOCK_WAIT_S = 5;

/**
 * For every connection of the engine. Under REPEATABLE READ a claim would lock the gaps between the rows it takes, and an
 * empty scan whole ranges: others' inserts would wait. Without a strict mode a text too long is cut instead of refused.
 * MariaDB also ends a transaction whose node has stopped in the middle of it; MySQL 8 has no setting for that.
 */
export const SESSION = `set session transaction isolation level read committed; set session sql_mode = 'STRICT_ALL_TABLES',
  session time_zone = '+00:00', session innodb_lock_wait_timeout = ${LOCK_WAIT_S}, session autocommit = 1, session sql_safe_updates = 0
  /*M!100300 , session idle_transaction_timeout = ${VERB_LIMIT_MS / 1_000} */`;
