import type { Clock } from '../clock/clock.js';
import type { EventStore } from '../store/event-store.js';
import type { EventLifecycle } from './event-lifecycle.js';

/** These take as long as the application does, or are no calls of the database. */
const NOT_VERBS: ReadonlySet<PropertyKey> = new Set<keyof EventStore>(['open', 'close', 'transaction']);

type Method = (...args: unknown[]) => unknown;

/** The same store; while anybody listens, each call of a verb is a fact once it has ended. */
export function observedStore<S extends EventStore>(store: S, lifecycle: EventLifecycle, clock: Clock): S {
  const observed = new WeakMap<Method, Method>();

  function observe(verb: string, method: Method): Method {
    return (...args) => {
      if (!lifecycle.wants('storeCall')) return method.apply(store, args);
      const startedAt = clock.monotonic();
      const answer = method.apply(store, args);
      if (!(answer instanceof Promise)) return answer;
      const durationMs = () => clock.monotonic() - startedAt;
      return answer.then(
        (value: unknown) => {
          lifecycle.emit({ fact: 'storeCall', verb, durationMs: durationMs() });
          return value;
        },
        (error: unknown) => {
          lifecycle.emit({ fact: 'storeCall', verb, durationMs: durationMs(), error });
          throw error;
        },
      );
    };
  }

  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || typeof name !== 'string' || NOT_VERBS.has(name)) return value;
      const method = value as Method;
      let wrapper = observed.get(method);
      if (!wrapper) observed.set(method, (wrapper = observe(name, method)));
      return wrapper;
    },
  });
}
