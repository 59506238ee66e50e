import type { CircuitState } from '../../policies/circuit-breaker.policy.js';
import type { ClaimRequest } from '../../store/delivery.store.js';
import type { TrialRequest } from '../../store/handler.store.js';
import type { ClaimedDelivery } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';

interface Row {
  circuit_state: CircuitState;
  circuit_epoch: number;
  ordered: boolean | number;
  /** A JSON array of delivery ids. */
  trials: string | null;
}

/**
 * The handler's row is locked by a statement of its own: what is read after it has all that others did before they let it
 * go. What the claim leases is what it always would: it knows paused and retired handlers, and it locks the node's row.
 */
export function claimTrials(d: Dialect, claim: (request: ClaimRequest) => Verb<ClaimedDelivery[] | null>) {
  const { handler: handlers, delivery, node: nodes } = d.tables;
  const lock = d.sql(
    `select circuit_state, circuit_epoch, trials, ordered from ${handlers} where name = ? ${d.forUpdate}`,
  );
  const isRegistered = d.sql(`select id from ${nodes} where id = ?`);
  const leased = d.sql(`select id from ${delivery} where ${d.oneOf('id')} and lease_node is not null`);
  const remember = d.sql(`update ${handlers} set trials = ? where name = ?`);

  return function* ({ node, handler, epoch, most, suspect }: TrialRequest): Verb<ClaimedDelivery[] | null> {
    yield BEGIN;
    const [row] = yield* query<Row>(lock, [handler], 'events:lock-circuit');
    if ((yield* query(isRegistered, [node], 'events:find-node')).length === 0) return null;
    if (row?.circuit_state !== 'half-open' || row.circuit_epoch !== epoch) return [];
    const trials = row.trials === null ? [] : (JSON.parse(row.trials) as number[]);
    const running = (yield* query<{ id: number }>(leased, [d.list(trials)], 'events:trials')).map(({ id }) => id);
    const limit = most - running.length;
    if (limit <= 0) return [];
    const claimed = yield* claim({ node, wants: [{ handler, limit, ordered: Boolean(row.ordered) }], limit, suspect });
    if (!claimed || claimed.length === 0) return claimed;
    yield* execute(remember, [JSON.stringify([...running, ...claimed.map(({ id }) => id)]), handler]);
    return claimed;
  };
}
