import type { CircuitState } from '../../policies/circuit-breaker.policy.js';
import type { CircuitChange } from '../handler.store.js';
import type { HandlerRow } from './memory-handlers.js';

/** Moves the circuit on if it is still in this epoch. */
export function changeCircuit(row: HandlerRow, epoch: number, to: CircuitState, now: number): CircuitChange {
  const changed = row.circuit.epoch === epoch;
  if (changed) enter(row, to, now);
  return { circuit: { ...row.circuit }, changed };
}

/** Counts a successful trial of a half-open circuit; the last that it needs closes it. */
export function countTrial(row: HandlerRow, epoch: number, threshold: number): CircuitChange {
  const { circuit } = row;
  const counts = circuit.state === 'half-open' && circuit.epoch === epoch;
  const closes = counts && circuit.successes + 1 >= threshold;
  if (closes) enter(row, 'closed', 0);
  else if (counts) row.circuit = { ...circuit, successes: circuit.successes + 1 };
  return { circuit: { ...row.circuit }, changed: closes };
}

function enter(row: HandlerRow, state: CircuitState, now: number): void {
  row.circuit = { state, epoch: row.circuit.epoch + 1, openedAt: state === 'open' ? now : null, successes: 0 };
  row.trials.clear();
}
