/** What the cases of the contract are told with: events, nodes, claims and settlements in a word each. */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import type { EntityManager } from 'typeorm';
import type { EventStore } from '../../store/event-store.js';
import type { AppendResult } from '../../store/inbox.store.js';
import type {
  AttemptFailure,
  ClaimedDelivery,
  DeliveryRecord,
  HandlerRegistration,
  NewDelivery,
  NewEvent,
  SettlementOutcome,
} from '../../store/records.js';

/** The moment at which the cases begin. Stores take time as an argument, so it stands still unless a case moves it. */
export const T0 = Date.UTC(2026, 0, 1);

export const HOUR = 3_600_000;

/** An event for these handlers. A handler's delivery has priority 50 unless it says otherwise. */
export function event(
  id: string,
  handlers: readonly (string | NewDelivery)[] = [],
  fields: Partial<NewEvent> = {},
): NewEvent {
  return {
    id,
    type: 'order.placed',
    version: 1,
    payload: `{"of":${JSON.stringify(id)}}`,
    headers: null,
    orderingKey: null,
    priority: null,
    occurredAt: T0 - 5,
    availableAt: null,
    deliveries: handlers.map((to) => (typeof to === 'string' ? { handler: to, priority: 50, orderingKey: null } : to)),
    ...fields,
  };
}

/** A delivery to `handler` with a priority of its own. */
export function at(priority: number, handler = 'mail'): NewDelivery {
  return { handler, priority, orderingKey: null };
}

export function handler(name: string, fields: Partial<HandlerRegistration> = {}): HandlerRegistration {
  return { name, priority: 50, ordered: false, onDeadLetter: 'block', patterns: ['order.*'], ...fields };
}

/** Registers a node that has these handlers; answers its id. */
export async function join(
  store: EventStore,
  handlers: readonly (string | HandlerRegistration)[] = ['mail'],
  label = 'node-a',
): Promise<number> {
  const node = await store.registerNode({ label, host: 'host-a', pid: 4711 }, T0);
  await store.registerHandlers(
    node,
    handlers.map((one) => (typeof one === 'string' ? handler(one) : one)),
    T0,
  );
  return node;
}

/** Appends with the current version of the registry, so that the events are fanned out. */
export async function append(store: EventStore, events: readonly NewEvent[], now = T0): Promise<AppendResult> {
  const { version } = await store.loadRegistry();
  return store.append({ events, registryVersion: version, now });
}

/** Appends with a version that the registry has left behind, so that the events are stored raw. */
export async function appendRaw(store: EventStore, events: readonly NewEvent[], now = T0): Promise<AppendResult> {
  const { version } = await store.loadRegistry();
  return store.append({ events, registryVersion: version - 1, now });
}

/** Claims as a node that is registered; suspects are welcome. */
export async function claim(
  store: EventStore,
  node: number,
  limit = 10,
  handlers: readonly string[] = ['mail'],
): Promise<ClaimedDelivery[]> {
  const wants = handlers.map((handler) => ({ handler, limit }));
  const claimed = await store.claim({ node, wants, limit, suspect: true });
  assert.ok(claimed, 'a registered node was refused its claim');
  return claimed;
}

export async function claimOne(store: EventStore, node: number, handler = 'mail'): Promise<ClaimedDelivery> {
  const [claimed] = await claim(store, node, 1, [handler]);
  assert.ok(claimed, `nothing could be claimed for ${handler}`);
  return claimed;
}

/** One delivery of a new event, leased to a node. */
export async function leased(store: EventStore, id = 'e1'): Promise<{ node: number; delivery: ClaimedDelivery }> {
  const node = await join(store);
  await append(store, [event(id, ['mail'])]);
  return { node, delivery: await claimOne(store, node) };
}

/** What came of a claimed delivery. */
export function settlement<O extends SettlementOutcome>(delivery: ClaimedDelivery, outcome: O) {
  const { id, claims, handler, lane, event } = delivery;
  return { id, claims, handler, lane, seq: event.seq, ...outcome };
}

export async function settle(
  store: EventStore,
  node: number,
  delivery: ClaimedDelivery,
  outcome: SettlementOutcome,
  now = T0,
): Promise<boolean> {
  const answers = await store.settle(node, [settlement(delivery, outcome)], now);
  assert.equal(answers.length, 1);
  return answers[0];
}

export const COMPLETED = { outcome: 'completed', attempts: 1, durationMs: 12 } as const;

export function failure(attempt: number, fields: Partial<AttemptFailure> = {}): AttemptFailure {
  return {
    at: T0 + attempt,
    attempt,
    name: 'TimeoutError',
    message: `attempt ${attempt} took "too" long`,
    stack: 'TimeoutError\n    at charge (handler.ts:1:1)',
    causes: [{ name: 'Error', message: 'socket hang up' }],
    durationMs: 30_000,
    node: 'node-a',
    ...fields,
  };
}

export const DEAD = { outcome: 'dead', reason: 'exhausted', failure: failure(1) } as const;

/** Appends events for `mail` and lets every delivery die, in the order of the events. */
export async function deadLetters(
  store: EventStore,
  node: number,
  events: readonly NewEvent[],
  now = T0,
): Promise<ClaimedDelivery[]> {
  await append(store, events);
  const handlers = [...new Set(events.flatMap((one) => one.deliveries.map((to) => to.handler)))];
  const claimed = await claim(store, node, 1_000, handlers);
  for (const delivery of claimed) assert.ok(await settle(store, node, delivery, DEAD, now));
  return claimed;
}

/** The only delivery of an event. */
export async function only(store: EventStore, eventId: string): Promise<DeliveryRecord> {
  const records = await store.findDeliveries(eventId);
  assert.equal(records.length, 1, `deliveries of ${eventId}`);
  return records[0];
}

/** `handler state` of each delivery of an event, by id. */
export async function states(store: EventStore, eventId: string): Promise<string[]> {
  return (await store.findDeliveries(eventId)).map((record) => `${record.handler} ${record.state}`);
}

export async function seqOf(store: EventStore, eventId: string): Promise<number> {
  const found = await store.findEvent(eventId);
  assert.ok(found, `event ${eventId} is not in the inbox`);
  return found.seq;
}

export function eventIds(deliveries: readonly ClaimedDelivery[]): string[] {
  return deliveries.map((delivery) => delivery.event.id);
}

/** `prefix0`, `prefix1` ... */
export function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** Waits until `condition` holds, and fails with `what` if it does not within 5 s. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `waited 5 s in vain: ${what}`);
    await wait(2);
  }
}

class RolledBack extends Error {}

export interface OpenTransaction<T> {
  /** What `work` answered. */
  readonly result: T;
  commit(): Promise<void>;
  rollBack(): Promise<void>;
}

/** Runs `work` in a transaction and leaves that open, so that the case can act from outside meanwhile. */
export async function openTransaction<T>(
  store: EventStore,
  work: (manager: EntityManager) => Promise<T>,
): Promise<OpenTransaction<T>> {
  let end: (how: 'commit' | 'rollBack') => void = () => {};
  const ending = new Promise<'commit' | 'rollBack'>((resolve) => (end = resolve));
  let closing: Promise<void> = Promise.resolve();
  const result = await new Promise<T>((resolve, reject) => {
    closing = store
      .transaction(async (manager) => {
        resolve(await work(manager));
        if ((await ending) === 'rollBack') throw new RolledBack();
      })
      .catch((error: unknown) => {
        reject(error);
        if (!(error instanceof RolledBack)) throw error;
      });
    closing.catch(() => {});
  });
  const endWith = (how: 'commit' | 'rollBack') => () => {
    end(how);
    return closing;
  };
  return { result, commit: endWith('commit'), rollBack: endWith('rollBack') };
}

/** Starts something that may have to wait for an open transaction, and gives it every chance to go wrong before that ends. */
export async function startMeanwhile<T>(work: () => Promise<T>): Promise<{ readonly done: Promise<T> }> {
  const done = work();
  done.catch(() => {});
  await wait(30);
  return { done };
}
