import type { AppendRequest, AppendResult } from '../../store/inbox.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, each, execute, query, type SqliteVerb } from '../verb.js';
import { leaseSqlite } from './claim.sqlite.js';
import { INBOX_COLUMNS, inboxRow } from './inbox-row.js';
import { dueAt } from './rows.js';

/** One writer at a time: order of `seq` is commit order without further locks. */
export function appendSqlite(t: Tables) {
  // Writes nothing, but takes the write lock: the application's transaction may be a deferred one, and if it read first
  // and had to wait for the lock then, its snapshot would be too old to write on.
  const takeLock = `update ${t.registry} set id = id where id < 0`;
  const registry = `select version from ${t.registry} where id = 1`;
  const store = `insert into ${t.inbox}
      (${INBOX_COLUMNS})
    values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing`;
  const deliver = deliverSqlite(t);
  const lease = leaseSqlite(t);

  return function* ({ events, registryVersion, now, claim }: AppendRequest): SqliteVerb<AppendResult> {
    yield BEGIN;
    yield* execute(takeLock);
    const [row] = yield* query<{ version: number }>(registry);
    const fannedOut = row?.version === registryVersion;
    const written = yield* each(
      store,
      events.map((event) => inboxRow(event, now, fannedOut)),
    );
    const stored = written.counts.map((count) => count === 1);
    if (fannedOut) {
      const deliveries = events.flatMap((event, index) =>
        stored[index]
          ? event.deliveries.map((to) => [
              written.rowIds[index],
              to.handler,
              to.priority,
              dueAt(event.availableAt, now),
              null,
              to.orderingKey,
            ])
          : [],
      );
      yield* each(deliver, deliveries);
    }
    return claim ? { stored, fannedOut, claimed: yield* lease(claim) } : { stored, fannedOut };
  };
}

/** Parameters: event, handler, priority, moment to wait for, due time (null = its event's), ordering key. */
export function deliverSqlite(t: Tables): string {
  return `insert into ${t.delivery} (event_seq, handler, priority, available_at, due_at, ordering_key)
    values (?, ?, ?, ?, ?, ?)`;
}
