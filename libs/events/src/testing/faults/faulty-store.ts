import type { EventStore } from '../../store/event-store.js';
import { hasDone, type InterruptibleStore, stepOf, type StoreStep } from '../../store/interruptible-store.js';
import type { EventFaults } from './event-faults.js';

/**
 * The store, passing the named points of its steps; `after` is passed when the step has done something. Once the node is
 * silent it answers nothing, neither what is asked then nor what was asked before.
 */
export function faultyStore(store: EventStore, faults: EventFaults): EventStore {
  const hasInside = isInterruptible(store);
  if (hasInside) store.interrupt((step) => faults.passInside(step));
  return new Proxy(store, {
    get(target, property: keyof EventStore) {
      const verb: unknown = Reflect.get(target, property);
      if (typeof verb !== 'function') return verb;
      return (...args: unknown[]): unknown => {
        const call = () => Reflect.apply(verb, target, args) as unknown;
        if (property === 'close') return call();
        if (faults.silent) return new Promise(() => {});
        if (property === 'transaction') return transaction(target, args[0] as Work, faults);
        if (property === 'append') return append(target, args as AppendArgs);
        const step = stepOf(property, args);
        return step === undefined ? call() : pass(step, call, faults, hasInside);
      };
    },
  });
}

type AppendArgs = Parameters<EventStore['append']>;

/** Claims are a step of their own here, so that a fault can strike it: none goes along with a publish. */
function append(store: EventStore, [{ claim: _claim, ...request }, manager]: AppendArgs): Promise<unknown> {
  return store.append(request, manager);
}

type Work = Parameters<EventStore['transaction']>[0];

/** What a crashed node had open is rolled back, as a database does when a connection ends. */
async function transaction(store: EventStore, work: Work, faults: EventFaults): Promise<unknown> {
  const cut = faults.silenced.then(() => {
    throw new Error('the node has crashed');
  });
  try {
    return await store.transaction((manager) => Promise.race([work(manager), cut]));
  } catch (error) {
    if (faults.silent) return new Promise(() => {});
    throw error;
  }
}

async function pass(step: StoreStep, call: () => unknown, faults: EventFaults, hasInside: boolean): Promise<unknown> {
  await faults.pass(`before ${step}`);
  if (!hasInside) await faults.pass(`inside ${step}`);
  const answer = await call();
  if (faults.silent) return new Promise(() => {});
  if (hasDone(answer)) await faults.pass(`after ${step}`);
  return answer;
}

function isInterruptible(store: EventStore): store is EventStore & InterruptibleStore {
  return 'interrupt' in store;
}
