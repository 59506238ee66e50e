import type { KeyAnswer, KeyClaim } from '../../store/chain.store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { givenRows } from './given-rows.js';
import { type HandlerKey, inLockOrder, textOf } from './handler-keys.js';

interface KeyRow extends HandlerKey {
  state: 'processing' | 'completed' | 'failed';
  owner: number;
  expires_at: number;
}

/**
 * A key that nobody has is entered for the first that asks; the others are locked, read and decided about here. A
 * constant number of statements, and one if all keys are new.
 */
export function claimKeys(d: Dialect) {
  const t = d.tables;
  const names = givenRows(d, { handler: 'text', key: 'text' });
  const claims = givenRows(d, { handler: 'text', key: 'text', owner: 'bigint', expires_at: 'bigint' });
  // `where false` updates nothing, but the row is locked.
  const enterMysql = `insert into ${t.idempotency} (handler, \`key\`, state, owner, expires_at)
    values ? on duplicate key update owner = ${t.idempotency}.owner`;
  const enter = d.sql(`insert into ${t.idempotency} as i (handler, key, state, owner, expires_at)
    select g.handler, g.key, 'processing', g.owner, g.expires_at from ${claims.table} where true ${claims.inOrder}
    on conflict (handler, key) do update set owner = i.owner where false
    returning handler, key`);
  const inGivenOrder = d.type === 'mysql' ? 'straight_join' : 'cross join';
  const read = d.sql(`select i.handler, i.key, i.state, i.owner, i.expires_at
    from ${names.table} ${inGivenOrder} ${t.idempotency} i where i.handler = g.handler and i.key = g.key`);
  const take =
    d.type === 'mysql'
      ? `update ${claims.table} straight_join ${t.idempotency} i on i.handler = g.handler and i.key = g.key
         set i.state = 'processing', i.owner = g.owner, i.expires_at = g.expires_at`
      : d.sql(`update ${t.idempotency} as i set state = 'processing', owner = g.owner, expires_at = g.expires_at
          from ${claims.table} where i.handler = g.handler and i.key = g.key`);

  /** Answers which keys are surely new. MySQL does not tell: there the others are found to be the claim's own. */
  function* enterAll(wanted: readonly KeyRow[]): Verb<HandlerKey[]> {
    if (d.type !== 'mysql') return yield* query<HandlerKey>(enter, claims.params(wanted), 'events:enter-keys');
    yield* execute(enterMysql, [wanted.map((row) => [row.handler, row.key, row.state, row.owner, row.expires_at])]);
    return [];
  }

  return function* (asked: readonly KeyClaim[], now: number): Verb<KeyAnswer[]> {
    if (asked.length === 0) return [];
    yield BEGIN;
    const first = new Map(asked.toReversed().map((claim) => [textOf(claim), toRow(claim)]));
    const wanted = [...first.values()].toSorted(inLockOrder);
    const made = yield* enterAll(wanted);
    const rows = new Map(made.map((name) => [textOf(name), first.get(textOf(name)) as KeyRow]));
    const others = wanted.filter((row) => !rows.has(textOf(row)));
    if (others.length > 0) {
      const found = yield* query<KeyRow>(read, names.params(others), 'events:read-keys');
      for (const row of found) rows.set(textOf(row), row);
    }
    const taken = new Map<string, KeyRow>();
    const answers = asked.map((claim) => {
      const name = textOf(claim);
      const row = rows.get(name);
      if (row && !isFree(row, claim, now)) return refusal(row);
      if (row?.owner !== claim.owner || row.expires_at !== claim.expiresAt || row.state !== 'processing') {
        rows.set(name, toRow(claim));
        taken.set(name, toRow(claim));
      }
      return { state: 'claimed' } as const;
    });
    if (taken.size > 0) yield* execute(take, claims.params([...taken.values()]));
    return answers;
  };
}

function isFree(row: KeyRow, { owner }: KeyClaim, now: number): boolean {
  return row.state === 'failed' || row.expires_at <= now || (row.state === 'processing' && row.owner === owner);
}

function refusal({ state, expires_at: expiresAt }: KeyRow): KeyAnswer {
  return state === 'completed' ? { state } : { state: 'processing', expiresAt };
}

function toRow({ handler, key, owner, expiresAt }: KeyClaim): KeyRow {
  return { handler, key, state: 'processing', owner, expires_at: expiresAt };
}
