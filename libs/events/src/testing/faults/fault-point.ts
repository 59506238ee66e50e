import type { StoreStep } from '../../store/interruptible-store.js';

/**
 * Where a fault strikes. `inside`: within the store's transaction, when it has written and not committed; stores that do
 * each step in one go (memory) have no inside, and are struck before it.
 */
export type FaultPoint = `${'before' | 'after'} ${StoreStep | 'handler'}` | `inside ${StoreStep}`;

const STORE_STEPS: readonly StoreStep[] = ['claim', 'settle', 'fan-out', 'stage', 'rescue'];

/** All there are, in the order of a delivery's way. */
export const FAULT_POINTS: readonly FaultPoint[] = [
  ...STORE_STEPS.flatMap((step) => [`before ${step}`, `inside ${step}`, `after ${step}`] as const),
  'before handler',
  'after handler',
];

/** What happens there. */
export type Fault =
  /** The process is gone: by SIGKILL where it has a database, else the node falls silent for ever. */
  | { readonly crash: true }
  /** It fails. `after` a step of the store it fails although the step is done: its answer is lost. */
  | { readonly error: Error }
  /** It takes this long more, milliseconds; inside a step of SQLite the whole process waits, as it would for a slow disk. */
  | { readonly latency: number };
