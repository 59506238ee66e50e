import type { TokenAnswer, TokenTake } from '../../store/chain.store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { givenRows } from './given-rows.js';
import { inLockOrder, textOf } from './handler-keys.js';
import { type BucketRow, spendTokens } from './spend-tokens.js';

/**
 * Every bucket is entered, full as one that nobody has used, or locked if it is there, in one order for all callers; then
 * they are read, and the takes are done on what they hold.
 */
export function takeTokensMysql(d: Dialect) {
  const buckets = d.tables.rate_limit;
  const names = givenRows(d, { handler: 'text', key: 'text' });
  const columns = 'handler, `key`, tokens, refilled_at, next_slot, full_at';
  const enter = `insert into ${buckets} (${columns}) values ? on duplicate key update handler = ${buckets}.handler`;
  // Fractions as texts: the driver reads them with the last digit off.
  const read = `select r.handler, r.\`key\`, concat(r.tokens) as tokens, r.refilled_at, concat(r.next_slot) as next_slot, r.full_at
    from ${names.table} straight_join ${buckets} r on r.handler = g.handler and r.\`key\` = g.\`key\``;
  const write = `insert into ${buckets} (${columns}) values ?
    on duplicate key update tokens = values(tokens), refilled_at = values(refilled_at), next_slot = values(next_slot),
      full_at = values(full_at)`;

  return function* (takes: readonly TokenTake[], now: number): Verb<TokenAnswer[]> {
    if (takes.length === 0) return [];
    yield BEGIN;
    const full = new Map(takes.toReversed().map((take) => [textOf(take), fullRow(take, now)]));
    const asked = [...full.values()].toSorted(inLockOrder);
    yield* execute(enter, [asked.map(valuesOf)]);
    const found = yield* query<TextRow>(read, names.params(asked));
    const spent = spendTokens(takes, found.map(toBucket), now);
    yield* execute(write, [spent.buckets.map(valuesOf)]);
    return spent.answers;
  };
}

type TextRow = Omit<BucketRow, 'tokens' | 'next_slot'> & Record<'tokens' | 'next_slot', string>;

function toBucket(row: TextRow): BucketRow {
  return { ...row, tokens: Number(row.tokens), next_slot: Number(row.next_slot) };
}

function fullRow({ handler, key, burst }: TokenTake, now: number): BucketRow {
  return { handler, key, tokens: burst, refilled_at: now, next_slot: 0, full_at: now };
}

function valuesOf(row: BucketRow) {
  return [row.handler, row.key, row.tokens, row.refilled_at, row.next_slot, row.full_at];
}
