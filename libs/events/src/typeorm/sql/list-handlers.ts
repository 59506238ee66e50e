import type { HandlerRecord } from '../../store/handler.store.js';
import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';
import { CIRCUIT_COLUMNS, type HandlerStateRow, toHandlerState } from './handler-rows.js';

interface Row extends HandlerStateRow {
  priority: number;
  first_seen: number;
  last_seen: number;
  retired_at: number | null;
  pattern: string | null;
  node: number | null;
  label: string;
}

/** One statement: a handler has a row for each of its patterns on each node. */
export function listHandlers(d: Dialect) {
  const { handler, subscription, node } = d.tables;
  const list = `select h.name, h.paused, h.priority, h.ordered, h.first_seen, h.last_seen, h.retired_at, ${CIRCUIT_COLUMNS},
      s.pattern, n.id as node, n.label
    from ${handler} h left join ${subscription} s on s.handler = h.name left join ${node} n on n.id = s.node
    order by h.name, s.pattern, n.id`;

  return function* (): Verb<HandlerRecord[]> {
    const rowsOf = new Map<string, Row[]>();
    for (const row of yield* query<Row>(list)) rowsOf.set(row.name, [...(rowsOf.get(row.name) ?? []), row]);
    return [...rowsOf.values()].map(toRecord);
  };
}

function toRecord(rows: readonly Row[]): HandlerRecord {
  const [first] = rows;
  const nodes = new Map(rows.flatMap(({ node, label }) => (node === null ? [] : [[node, label] as const])));
  return {
    ...toHandlerState(first),
    priority: first.priority,
    patterns: [...new Set(rows.flatMap(({ pattern }) => pattern ?? []))],
    nodes: [...nodes].map(([id, label]) => ({ id, label })).toSorted((a, b) => a.id - b.id),
    firstSeen: first.first_seen,
    lastSeen: first.last_seen,
    retiredAt: first.retired_at,
  };
}
