/** What the cases of lanes are told with: events of a key, an ordered handler, claims from its lanes. */
import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { ClaimedDelivery, HandlerRegistration, NewEvent } from '../../store/records.js';
import { append, event, eventIds, failure, handler, join, T0 } from './scene.js';

export const ORDERED = handler('ledger', { ordered: true });

/** An event of key `a` for the ordered handler, unless it says otherwise. */
export function keyed(id: string, key: string | null = 'a', fields: Partial<NewEvent> = {}): NewEvent {
  return event(id, [{ handler: 'ledger', priority: 50, orderingKey: key }], { orderingKey: key, ...fields });
}

/** A node with the ordered handler, and events `e0` to `e<count - 1>` of one lane, or of as many keys as are given. */
export async function lane(
  store: EventStore,
  keys: number | readonly (string | null)[],
  registration: Partial<HandlerRegistration> = {},
): Promise<number> {
  const node = await join(store, [{ ...ORDERED, ...registration }]);
  const list = typeof keys === 'number' ? Array.from({ length: keys }, () => 'a') : keys;
  await append(
    store,
    list.map((key, index) => keyed(`e${index}`, key)),
  );
  return node;
}

/** Claims from lanes of `ledger`; suspects are welcome. */
export async function take(store: EventStore, node: number, limit = 10, suspect = true): Promise<ClaimedDelivery[]> {
  const wants = [{ handler: 'ledger', limit, ordered: true }];
  const claimed = await store.claim({ node, wants, limit, suspect });
  assert.ok(claimed, 'a registered node was refused its claim');
  return claimed;
}

/** The events of what can be claimed. */
export async function taken(store: EventStore, node: number, limit = 10, suspect = true): Promise<string[]> {
  return eventIds(await take(store, node, limit, suspect));
}

/** A run of exactly these events. */
export async function run(store: EventStore, node: number, ids: readonly string[], limit = ids.length) {
  const claimed = await take(store, node, limit);
  assert.deepEqual(eventIds(claimed), ids);
  return claimed;
}

export const RETRY = { outcome: 'retry', availableAt: T0 + 100, failure: failure(1) } as const;
export const RELEASED = { outcome: 'released' } as const;
