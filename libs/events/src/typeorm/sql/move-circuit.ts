import type { CircuitChange, CircuitRecord } from '../../store/handler.store.js';
import type { Dialect } from '../dialect.js';
import { BEGIN, execute, query, type Verb } from '../verb.js';
import { CIRCUIT_COLUMNS, type CircuitRow, toCircuit } from './handler-rows.js';

/**
 * A verb that makes something else of a handler's circuit, as the only one that does so. `next` answers undefined to
 * leave it as it is; `changed` = it is in a new epoch, which has no trials yet.
 */
export function moveCircuit(d: Dialect) {
  const lock = d.sql(`select ${CIRCUIT_COLUMNS} from ${d.tables.handler} where name = ? ${d.forUpdate}`);
  const count = d.sql(`update ${d.tables.handler} set successes = ? where name = ?`);
  const enter = d.sql(`update ${d.tables.handler}
    set circuit_state = ?, circuit_epoch = ?, opened_at = ?, successes = ?, trials = null where name = ?`);

  return function* (
    handler: string,
    next: (circuit: CircuitRecord) => CircuitRecord | undefined,
  ): Verb<CircuitChange | null> {
    yield BEGIN;
    const [row] = yield* query<CircuitRow>(lock, [handler]);
    if (!row) return null;
    const before = toCircuit(row);
    const circuit = next(before);
    if (!circuit) return { circuit: before, changed: false };
    const { state, epoch, openedAt, successes } = circuit;
    const changed = epoch !== before.epoch;
    if (changed) yield* execute(enter, [state, epoch, openedAt, successes, handler]);
    else yield* execute(count, [successes, handler]);
    return { circuit, changed };
  };
}
