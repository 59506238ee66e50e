import type { CircuitChange } from '../../store/handler.store.js';
import type { Dialect } from '../dialect.js';
import type { Verb } from '../verb.js';
import { moveCircuit } from './move-circuit.js';

export function countTrial(d: Dialect) {
  const move = moveCircuit(d);

  return function* (handler: string, epoch: number, threshold: number): Verb<CircuitChange | null> {
    return yield* move(handler, (circuit) => {
      if (circuit.epoch !== epoch || circuit.state !== 'half-open') return undefined;
      const successes = circuit.successes + 1;
      if (successes < threshold) return { ...circuit, successes };
      return { state: 'closed', epoch: epoch + 1, openedAt: null, successes: 0 };
    });
  };
}
