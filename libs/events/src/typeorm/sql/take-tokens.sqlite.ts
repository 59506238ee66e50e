import type { TokenAnswer, TokenTake } from '../../store/chain.store.js';
import type { Tables } from '../tables.js';
import { BEGIN, each, query, type SqliteVerb } from '../verb.js';
import { type BucketRow, spendTokens } from './spend-tokens.js';

/** Nobody else writes meanwhile, so the buckets are read and written. */
export function takeTokensSqlite(t: Tables) {
  const read = `select r.* from json_each(?) g cross join ${t.rate_limit} r
    where r.handler = g.value ->> 0 and r.key = g.value ->> 1`;
  const write = `insert into ${t.rate_limit} (handler, key, tokens, refilled_at, next_slot, full_at)
    values (?, ?, ?, ?, ?, ?)
    on conflict (handler, key) do update set tokens = excluded.tokens, refilled_at = excluded.refilled_at,
      next_slot = excluded.next_slot, full_at = excluded.full_at`;

  return function* (takes: readonly TokenTake[], now: number): SqliteVerb<TokenAnswer[]> {
    yield BEGIN;
    const names = takes.map(({ handler, key }) => [handler, key]);
    const found = yield* query<BucketRow>(read, [JSON.stringify(names)]);
    const { answers, buckets } = spendTokens(takes, found, now);
    yield* each(
      write,
      buckets.map((row) => [row.handler, row.key, row.tokens, row.refilled_at, row.next_slot, row.full_at]),
    );
    return answers;
  };
}
