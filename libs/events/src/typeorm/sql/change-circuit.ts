import type { CircuitState } from '../../policies/circuit-breaker.policy.js';
import type { CircuitChange } from '../../store/handler.store.js';
import type { Dialect } from '../dialect.js';
import type { Verb } from '../verb.js';
import { moveCircuit } from './move-circuit.js';

export function changeCircuit(d: Dialect) {
  const move = moveCircuit(d);

  return function* (handler: string, epoch: number, to: CircuitState, now: number): Verb<CircuitChange | null> {
    return yield* move(handler, (circuit) =>
      circuit.epoch === epoch
        ? { state: to, epoch: epoch + 1, openedAt: to === 'open' ? now : null, successes: 0 }
        : undefined,
    );
  };
}
