/** The verbs that run all the time, and tables that are full, to see by what the statements of the one read the other. */
import { DataSource } from 'typeorm';
import { Dialect } from '../../libs/events/src/typeorm/dialect.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import { BEGIN, type SqliteVerb, type Statement } from '../../libs/events/src/typeorm/verb.js';
import { type Verbs, verbs } from '../../libs/events/src/typeorm/verbs.js';
import { numbersUpTo } from './numbers.js';

export const ROWS = 100_000;
const HANDLERS = Array.from({ length: 20 }, (_, index) => `h${index}`);

const NUMBERS = numbersUpTo(ROWS);

/** Of 20 handlers in turn: a tenth waits for a time, two tenths are leased, one in a thousand is a suspect. */
export const FILL = [
  `insert into {inbox} (seq, id, type, payload, bytes, fanned_out_at) ${NUMBERS}
    select n, concat('e', n), 'a.b', '{}', 2, 1 from numbers`,
  `insert into {delivery} (id, event_seq, handler, priority, available_at, lease_node, claims, crashes) ${NUMBERS}
    select n, n, concat('h', n % 20), 50, case when n % 10 = 0 then 1000 + n end, case when n % 10 in (1, 2) then 1 end, 1,
      case when n % 1000 = 3 then 1 else 0 end from numbers`,
  `insert into {completion} (event_seq, id, handler, outcome, attempts, finished_at) ${NUMBERS}
    select n, n + ${ROWS}, 'h1', 'completed', 1, n from numbers`,
  `insert into {dead_letter} (id, event_seq, handler, reason, priority, attempts, crashes, claims, dead_at) ${NUMBERS}
    select n + 2 * ${ROWS}, n, 'h1', 'exhausted', 50, 5, 0, 5, n from numbers`,
  `insert into {idempotency} (handler, key, state, owner, expires_at) ${NUMBERS}
    select concat('h', n % 20), concat('k', n), 'processing', n, n from numbers`,
  `insert into {rate_limit} (handler, key, tokens, refilled_at, next_slot, full_at) ${NUMBERS}
    select concat('h', n % 20), concat('k', n), 1, n, 0, n from numbers`,
];

/** A hundred that the node may have leased, of every fate. */
const settlements = Array.from({ length: 100 }, (_, index) => {
  const lease = { id: index * 10 + 1, claims: 1, seq: index * 10 + 1, handler: 'h1' };
  if (index % 3 === 0) return { ...lease, outcome: 'completed' as const, attempts: 1, durationMs: 1 };
  if (index % 3 === 1) return { ...lease, outcome: 'snoozed' as const, availableAt: 1 };
  return { ...lease, outcome: 'dead' as const, reason: 'expired' as const, failure: null };
});

const KEYS = Array.from({ length: 100 }, (_, index) => ({ handler: 'h1', key: `k${index * 20 + 1}` }));

export const PRUNE = { completedBefore: 1, deadBefore: 1, now: 1, limit: 100 };
/** A lane of a thousand for each hundred deliveries of `h3`, which is ordered; half of them parked, some leased or blocked. */
export const LANES = [
  `insert into {handler} (name, priority, ordered, on_dead_letter, first_seen, last_seen) values ('h3', 50, true, 'block', 1, 1)`,
  `update {delivery} set ordering_key = 'k' || (id % 700), lane_wait = id % 40 = 3 where handler = 'h3'`,
  `update {dead_letter} set handler = 'h3', ordering_key = 'k' || (id % 700), blocking = true where id % 100 = 1`,
];

const WANTS = [
  { handler: 'h3', limit: 50, ordered: true },
  { handler: 'h1', limit: 50 },
];

export const VERBS: readonly (readonly [string, (v: Verbs) => SqliteVerb<unknown>])[] = [
  [
    'claim',
    (v) => v.claim({ node: 1, wants: HANDLERS.map((handler) => ({ handler, limit: 50 })), limit: 500, suspect: true }),
  ],
  [
    'claim behind marks',
    (v) => {
      const wants = HANDLERS.map((handler) => ({ handler, limit: 50, after: { priority: 50, id: 50_000 } }));
      return v.claim({ node: 1, wants, limit: 500, suspect: true });
    },
  ],
  ['claim with lanes', (v) => v.claim({ node: 1, wants: WANTS, limit: 500, suspect: true })],
  [
    'settle with lanes',
    (v) =>
      v.settle(
        1,
        settlements.map((one) => ({ ...one, lane: 'k1' })),
        1,
      ),
  ],
  ['discard', (v) => v.discard({ ids: [200_001] }, 10)],
  ['settle', (v) => v.settle(1, settlements, 1)],
  [
    'settle with keys',
    (v) => {
      const keyed = settlements.map((one) => ({ ...one, key: { key: `k${one.id}`, expiresAt: 1 } }));
      return v.settle(1, keyed, 1);
    },
  ],
  ['claimTrials', (v) => v.claimTrials({ node: 1, handler: 'h1', epoch: 1, most: 5, suspect: true })],
  ['handlerStates', (v) => v.handlerStates()],
  [
    'takeTokens',
    (v) =>
      v.takeTokens(
        KEYS.map((name) => ({ ...name, burst: 1, intervalMs: 1 })),
        1,
      ),
  ],
  [
    'claimKeys',
    (v) =>
      v.claimKeys(
        KEYS.map((name) => ({ ...name, owner: 1, expiresAt: 2 })),
        1,
      ),
  ],
  ['prune of history', (v) => v.pruneHistory(PRUNE)],
  ['prune of letters', (v) => v.pruneLetters(PRUNE)],
  ['prune of events', (v) => v.pruneEvents(PRUNE, 50_000, 500)],
  ['prune of keys', (v) => v.pruneKeys(PRUNE)],
  ['prune of buckets', (v) => v.pruneBuckets(PRUNE)],
  ['stage', (v) => v.stage(2_000, 100)],
  ['fanOut', (v) => v.fanOut({ limit: 100, registryVersion: 1, now: 1, match: () => [] })],
  ['unprocessed', (v) => v.unprocessed()],
  ['findDeliveries', (v) => v.findDeliveries('e500')],
  ['lostLeases', (v) => v.lostLeases(1, [{ id: 1, claims: 1 }])],
  ['cancel', (v) => v.cancel(11, 1)],
];

/** The row of a handler that may have trials. */
export const HALF_OPEN = { circuit_state: 'half-open', circuit_epoch: 1, trials: '[1, 2]' };

/** Of the inbox: events that may be old enough to go. */
export const STRETCH = { up_to: 50_500, oldest: 0 };
/** Of a lane that is free, and of one that is not. */
export const CANDIDATE = { id: 3, handler: 'h3', priority: 50, crashes: 0, ordering_key: 'k3' };
export const OTHER = { ...CANDIDATE, id: 23, ordering_key: 'k23' };
export const LANE = {
  lane: 0,
  leased: null,
  letter_id: null,
  letter_seq: null,
  raw_seq: null,
  id: 3,
  event_seq: 3,
  crashes: 0,
  due: true,
};

const NOTHING = { rows: [], count: 0, counts: [], rowIds: [] };

/** The statements of a verb, each with rows that let it go on. */
export function statementsOf(verb: SqliteVerb<unknown>, rows: (sql: string) => object[]): Statement[] {
  const statements: Statement[] = [];
  for (let step = verb.next(NOTHING); !step.done;) {
    const { value } = step;
    if (value === BEGIN) {
      step = verb.next(NOTHING);
    } else if ('each' in value) {
      statements.push({ sql: value.sql, params: Array.from(value.sql.matchAll(/\?/g), () => null) });
      const ones = value.each.map(() => 1);
      step = verb.next({ ...NOTHING, counts: ones, rowIds: ones });
    } else {
      statements.push(value);
      step = verb.next({ ...NOTHING, rows: rows(value.sql), count: 1 });
    }
  }
  return statements;
}

/** The verbs, and a DataSource to explain their statements on. */
export async function openVerbs(harness: {
  connection: Parameters<typeof engineOptions>[0];
  schema: string | undefined;
}) {
  const source = await new DataSource(
    engineOptions(harness.connection, { tablePrefix: 'event_', schema: harness.schema }),
  ).initialize();
  return { source, verbs: verbs(new Dialect(source, 'event_', harness.schema)) };
}
