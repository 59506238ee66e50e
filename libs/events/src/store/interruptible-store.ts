/** Steps of the engine that a fault can strike. `rescue`: the deliveries of a node that has died are given to others. */
export type StoreStep = 'claim' | 'settle' | 'fan-out' | 'stage' | 'rescue';

/** The verbs of a store that are steps of the engine. */
const STEPS: Readonly<Record<string, StoreStep>> = {
  claim: 'claim',
  claimTrials: 'claim',
  settle: 'settle',
  settleIn: 'settle',
  fanOut: 'fan-out',
  stage: 'stage',
  removeNode: 'rescue',
  rescueOrphans: 'rescue',
};

/** A store that can be interrupted within the transactions of its steps; for fault injection. */
export interface InterruptibleStore {
  /**
   * From now on calls `between` in each step's transaction when the step has written something and has not committed.
   * It answers for how many milliseconds the database is to pause; if it throws, the step fails and has changed nothing.
   */
  interrupt(between: (step: StoreStep) => number): void;
}

/** Which step a verb is, if it is one. A node that signs off removes itself, and names no beat: that is no rescue. */
export function stepOf(verb: string, args: readonly unknown[]): StoreStep | undefined {
  return verb === 'removeNode' && args[2] === undefined ? undefined : STEPS[verb];
}

/** Whether the answer of a step's verb says that it has changed anything. */
export function hasDone(answer: unknown): boolean {
  if (Array.isArray(answer)) return answer.some((one) => one !== false);
  if (typeof answer === 'number') return answer > 0;
  if (typeof answer !== 'object' || answer === null) return answer === true;
  const { staged, events } = answer as { staged?: number; events?: number };
  return (staged ?? events ?? 0) > 0;
}
