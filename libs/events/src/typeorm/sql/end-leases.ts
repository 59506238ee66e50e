import type { Dialect } from '../dialect.js';
import { execute, query, type Verb } from '../verb.js';
import { type Lane, wakeLanes } from './lanes.js';

const MESSAGE = 'the node that ran it is gone';

/**
 * Part of a verb: ends all leases of a dead node. Each delivery is pending again, the crash charged, a failure appended;
 * but of several in one lane only the first was under way, so the others are just given back. Answers how many there were.
 */
export function endLeases(d: Dialect) {
  const { delivery } = d.tables;
  const find = d.sql(`select distinct handler, ordering_key from ${delivery}
    where lease_node = ? and lease_node is not null and ordering_key is not null`);
  const { giveBack, charge } = d.type === 'mysql' ? mysqlUpdates(delivery) : updates(d);
  const wake = wakeLanes(d);

  return function* (node: number, label: string, now: number): Verb<number> {
    const lanes = yield* query<Lane>(find, [node]);
    const behind = lanes.length > 0 ? yield* execute(giveBack, [node]) : 0;
    const charged = yield* execute(charge, [...leaseFailure(label, now), node]);
    yield* wake(lanes);
    return behind + charged;
  };
}

function updates(d: Dialect) {
  const { delivery } = d.tables;
  return {
    giveBack: d.sql(`update ${delivery} set lease_node = null
      where lease_node = ? and ordering_key is not null and exists (select 1 from ${delivery} h where h.handler = ${delivery}.handler
        and h.ordering_key = ${delivery}.ordering_key and h.lease_node = ${delivery}.lease_node
        and h.event_seq < ${delivery}.event_seq)`),
    charge: d.sql(`update ${delivery}
      set lease_node = null, rate_slot = null, crashes = crashes + 1, errors = coalesce(errors || '\n', '')
        || cast(? as text) || (attempts + crashes + 1) || cast(? as text)
      where lease_node = ?`),
  };
}

/** No update there looks into its own table, except through one of its own making. */
function mysqlUpdates(delivery: string) {
  return {
    giveBack: `update ${delivery} d join (
        select distinct b.id from ${delivery} b join ${delivery} h on h.handler = b.handler and h.ordering_key = b.ordering_key
          and h.lease_node = b.lease_node and h.event_seq < b.event_seq
        where b.lease_node = ? and b.ordering_key is not null
      ) behind on behind.id = d.id set d.lease_node = null`,
    // Left to right: `crashes` is raised already where `errors` reads it.
    charge: `update ${delivery} set lease_node = null, rate_slot = null, crashes = crashes + 1,
      errors = concat(coalesce(concat(errors, '\n'), ''), ?, attempts + crashes, ?)
      where lease_node = ?`,
  };
}

/** The failure as JSON, in two halves round the attempt's number, which only the row knows. */
function leaseFailure(label: string, now: number): [string, string] {
  return [
    `{"at":${now},"attempt":`,
    `,${JSON.stringify({ name: 'node-lost', message: MESSAGE, node: label }).slice(1)}`,
  ];
}
