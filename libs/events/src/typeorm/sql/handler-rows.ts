import type { CircuitState } from '../../policies/circuit-breaker.policy.js';
import type { CircuitRecord, HandlerState } from '../../store/handler.store.js';

/** The columns of a circuit. */
export const CIRCUIT_COLUMNS = 'circuit_state, circuit_epoch, opened_at, successes';

export interface CircuitRow {
  circuit_state: CircuitState;
  circuit_epoch: number;
  opened_at: number | null;
  successes: number;
}

export interface HandlerStateRow extends CircuitRow {
  name: string;
  paused: boolean | number;
  ordered: boolean | number;
}

export function toCircuit(row: CircuitRow): CircuitRecord {
  return {
    state: row.circuit_state,
    epoch: row.circuit_epoch,
    openedAt: row.opened_at,
    successes: row.successes,
  };
}

export function toHandlerState(row: HandlerStateRow): HandlerState {
  return { name: row.name, paused: Boolean(row.paused), ordered: Boolean(row.ordered), circuit: toCircuit(row) };
}
