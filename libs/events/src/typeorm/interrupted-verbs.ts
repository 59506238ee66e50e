import { hasDone, stepOf, type StoreStep } from '../store/interruptible-store.js';
import { BEGIN, type EachStatement, type SqliteVerb, type Statement, type StatementResult } from './verb.js';
import type { Verbs } from './verbs.js';

/** How a database waits; where none is named, the process does. */
const PAUSES: Readonly<Record<string, string>> = {
  postgres: 'select pg_sleep($1)',
  mysql: 'select sleep(?)',
  mariadb: 'select sleep(?)',
};

const WRITES = /\b(?:insert\s+into|(?<!for )update|delete\s+from)\b/i;

/**
 * The verbs of a store, with those that are steps of the engine interrupted inside their transaction: after its first
 * statement that has written rows. A verb of one statement is given a transaction, and interrupted before its commit.
 * @param between see `InterruptibleStore`. @param database type of the DataSource.
 */
export function interruptedVerbs(verbs: Verbs, between: (step: StoreStep) => number, database: string): Verbs {
  const pauses = (ms: number) => pause(ms, database);
  const entries = Object.entries(verbs).map(([name, verb]) => [
    name,
    (...args: unknown[]) => {
      const steps = Reflect.apply(verb, verbs, args) as SqliteVerb<unknown>;
      const step = stepOf(name, args);
      return step === undefined ? steps : interrupted(steps, () => pauses(between(step)));
    },
  ]);
  return Object.fromEntries(entries) as Verbs;
}

/** @throws TypeError when the verb goes on after a write outside of any transaction: half of it would be there alone. */
function* interrupted<R>(verb: SqliteVerb<R>, strike: () => Iterable<Statement>): SqliteVerb<R> {
  let transaction: 'none' | 'its own' | 'ours' = 'none';
  let struck = false;
  let step = verb.next({ rows: [], count: 0, counts: [], rowIds: [] });
  while (!step.done) {
    if (transaction === 'ours') throw new TypeError('a verb writes in several statements without a transaction');
    if (step.value === BEGIN) {
      transaction = 'its own';
      step = verb.next(yield BEGIN);
      continue;
    }
    const writes = WRITES.test(step.value.sql);
    if (writes && transaction === 'none') {
      transaction = 'ours';
      yield BEGIN;
    }
    const result = yield step.value;
    if (writes && !struck && transaction === 'its own' && hasWritten(result, step.value)) {
      struck = true;
      yield* strike();
    }
    step = verb.next(result);
  }
  if (!struck && hasDone(step.value)) yield* strike();
  return step.value;
}

function hasWritten({ count, counts, rows }: StatementResult, statement: Statement | EachStatement): boolean {
  return 'each' in statement ? counts.some((one) => one > 0) : count > 0 || rows.length > 0;
}

function* pause(ms: number, database: string): Generator<Statement, void, StatementResult> {
  if (ms === 0) return;
  const sql = PAUSES[database];
  if (sql === undefined) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  else yield { sql, params: [ms / 1000] };
}
