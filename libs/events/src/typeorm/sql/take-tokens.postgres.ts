import type { TokenAnswer, TokenTake } from '../../store/chain.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, query, type Verb } from '../verb.js';
import { type HandlerKey, textOf } from './handler-keys.js';
import { type BucketRow, spendTokens } from './spend-tokens.js';

/**
 * Buckets that nobody has used are entered as these takes leave them. The others are locked by the same statement, in
 * one order for all callers; then they are read, and the takes are done on what they hold.
 */
export function takeTokensPostgres(t: Tables) {
  const given = `unnest($1::text[], $2::text[], $3::float8[], $4::bigint[], $5::float8[], $6::bigint[]) with ordinality
    g (handler, key, tokens, refilled_at, next_slot, full_at, ord)`;
  // `where false` updates nothing, but the row is locked.
  const enter = `insert into ${t.rate_limit} as r (handler, key, tokens, refilled_at, next_slot, full_at)
    select handler, key, tokens, refilled_at, next_slot, full_at from ${given} order by ord
    on conflict (handler, key) do update set tokens = r.tokens where false
    returning handler, key`;
  const read = `select r.* from unnest($1::text[], $2::text[]) g (handler, key)
    join ${t.rate_limit} r on r.handler = g.handler and r.key = g.key`;
  const write = `update ${t.rate_limit} r
    set tokens = g.tokens, refilled_at = g.refilled_at, next_slot = g.next_slot, full_at = g.full_at
    from ${given} where r.handler = g.handler and r.key = g.key`;

  return function* (takes: readonly TokenTake[], now: number): Verb<TokenAnswer[]> {
    if (takes.length === 0) return [];
    yield BEGIN;
    const ifNew = spendTokens(takes, [], now);
    const made = new Set(
      (yield* query<HandlerKey>(enter, columnsOf(ifNew.buckets), 'events:enter-buckets')).map(textOf),
    );
    const others = ifNew.buckets.filter((bucket) => !made.has(textOf(bucket)));
    if (others.length === 0) return ifNew.answers;
    const found = yield* query<BucketRow>(read, columnsOf(others).slice(0, 2), 'events:read-buckets');
    const { answers, buckets } = spendTokens(takes, found, now);
    const used = buckets.filter((bucket) => !made.has(textOf(bucket)));
    yield* query(write, columnsOf(used), 'events:write-buckets');
    return answers;
  };
}

function columnsOf(rows: readonly BucketRow[]) {
  return [
    rows.map((row) => row.handler),
    rows.map((row) => row.key),
    rows.map((row) => row.tokens),
    rows.map((row) => row.refilled_at),
    rows.map((row) => row.next_slot),
    rows.map((row) => row.full_at),
  ];
}
