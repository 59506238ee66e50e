import { TypeORMError } from 'typeorm';
import { EventsError } from '../errors/events.error.js';
import { LockTimeoutError } from '../errors/lock-timeout.error.js';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';

/**
 * PostgreSQL's answers that only mean "not now": connection trouble, shutdown, start, no connection left, a lock that was
 * waited for in vain, a session that was ended while it idled. And MySQL's: shutdown, no connection left, a killed one.
 */
const NOT_NOW =
  /^(?:08...|57P0.|53300|55P03|25P03|ER_SERVER_SHUTDOWN|ER_CON_COUNT_ERROR|ER_TOO_MANY_USER_CONNECTIONS|ER_NEW_ABORTING_CONNECTION|ER_CONNECTION_KILLED)$/;

/** PostgreSQL's lock_timeout has passed. */
const LOCK_NOT_AVAILABLE = '55P03';

/** The error as it is when the database has answered, or when it is no error of the database; else StoreUnavailableError. */
export function orUnavailable(error: unknown): unknown {
  if (!(error instanceof Error) || isOurFault(error)) return error;
  if (isAnswer(error) && !NOT_NOW.test(codeOf(error))) return error;
  const Reason = codeOf(error) === LOCK_NOT_AVAILABLE ? LockTimeoutError : StoreUnavailableError;
  return new Reason(reasonOf(error), { cause: error });
}

/** Asks the database. @throws what `orUnavailable` makes of the error. */
export async function ask<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw orUnavailable(error);
  }
}

function isOurFault(error: Error): boolean {
  return (
    error instanceof EventsError ||
    error instanceof TypeORMError ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof SyntaxError
  );
}

/** What PostgreSQL, MySQL and SQLite send carries their marks; what a driver says of a socket does not. */
function isAnswer(error: Error): boolean {
  return 'severity' in error || 'sqlState' in error || codeOf(error).startsWith('SQLITE_');
}

/** A host with several addresses fails with one error for each, and no message. */
function reasonOf(error: Error): string {
  const [first] = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  if (first instanceof Error) return first.message;
  return error.message || codeOf(error) || error.name;
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
