/** Scope: which of a node's handlers begins next, and what is taken back from them. */
import { describe, expect, it } from 'vitest';
import type { HandlerState } from '../store/handler.store.js';
import type { HandlerSlot } from './handler-slot.js';
import { HandlerSlots } from './handler-slots.js';
import { newBreaker, newClaimed, newSlot } from './slot.fixture.js';

function slotsOf(...list: HandlerSlot[]): HandlerSlots {
  const slots = new HandlerSlots();
  for (const slot of list) slots.add(slot);
  return slots;
}

/** A slot that holds deliveries of these ids and priorities. */
function holding(name: string, held: [id: number, priority: number][], state: Parameters<typeof newSlot>[1] = {}) {
  const slot = newSlot(name, state);
  for (const [id, priority] of held) slot.enqueue(newClaimed({ id, priority, handler: name }));
  return slot;
}

const never = (slot: HandlerSlot): void => expect.unreachable(`${slot.name} is not stale`);

it('a handler that is not on this node has no slot, and none can be required', () => {
  const a = newSlot('a');
  const slots = slotsOf(a);
  expect([slots.get('a'), slots.require('a'), slots.get('b')]).toEqual([a, a, undefined]);
  expect(() => slots.require('b')).toThrow('b is not on this node');
});

describe('the best that may begin', () => {
  it('is of the lower priority, then the older, over all handlers', () => {
    const [a, b] = [holding('a', [[5, 50]]), holding('b', [[3, 50]])];
    const slots = slotsOf(newSlot('idle'), a, b);
    expect(slots.best(never)).toBe(b);
    a.enqueue(newClaimed({ id: 9, priority: 10 }));
    expect(slots.best(never)).toBe(a);
  });

  it('is of no handler that runs as many as it may', () => {
    const full = holding('a', [[1, 10]], { running: 10 });
    const b = holding('b', [[2, 50]]);
    expect(slotsOf(full, b).best(never)).toBe(b);
    expect(slotsOf(full).best(never)).toBeUndefined();
  });

  it('is of no handler that was paused, or whose circuit has gone on: what they hold is handed out', () => {
    const paused = holding('a', [[1, 10]], { paused: true });
    const open = holding('b', [[2, 10]], { breaker: newBreaker('open') });
    const trial = holding('c', [[3, 10]], { breaker: newBreaker('half-open') });
    const d = holding('d', [[4, 50]]);
    const stale: string[] = [];
    expect(slotsOf(paused, open, trial, d).best((slot) => stale.push(slot.name))).toBe(d);
    expect(stale).toEqual(['a', 'b', 'c']);
  });

  it('may be a trial that was claimed as one', () => {
    const trial = newSlot('a', { breaker: newBreaker('half-open') });
    trial.enqueue(newClaimed({}, 2));
    expect(slotsOf(trial).best(never)).toBe(trial);
  });
});

describe('who is paused', () => {
  const state = (name: string, paused: boolean): HandlerState => ({
    name,
    paused,
    ordered: false,
    circuit: { state: 'closed', epoch: 0, openedAt: null, successes: 0 },
  });

  it('is taken over, and answered where it is new; handlers of other nodes are passed over', () => {
    const slots = slotsOf(newSlot('a'), newSlot('b'));
    const all = [state('a', true), state('b', false), state('elsewhere', true)];
    expect([slots.pause(all), slots.pause(all)]).toEqual([[state('a', true)], []]);
    expect([...slots].map(({ paused }) => paused)).toEqual([true, false]);
    expect(slots.pause([state('a', false)])).toEqual([state('a', false)]);
  });
});

describe('what is claimed, but not begun', () => {
  const ids = (claimed: readonly { delivery: { id: number } }[]) => claimed.map(({ delivery }) => delivery.id);

  it('is of all handlers', () => {
    const slots = slotsOf(newSlot('a', { held: 2 }), newSlot('b'), holding('c', [[7, 50]]));
    expect(ids(slots.waiting)).toEqual([1, 2, 7]);
  });

  it('can be dropped, and the rest keeps its order', () => {
    const slots = slotsOf(newSlot('a', { held: 3 }), newSlot('b'));
    const drop = (id: number) => ids(slots.drop(({ delivery }) => delivery.id === id));
    expect([drop(2), drop(2), ids(slots.waiting)]).toEqual([[2], [], [1, 3]]);
  });
});

describe('how long nobody will tell of anything', () => {
  it('is the least of all handlers', () => {
    expect(slotsOf().waitsMs).toBe(Infinity);
    expect(slotsOf(newSlot('a'), newSlot('b', { freeInMs: 70 }), newSlot('c', { freeInMs: 30 })).waitsMs).toBe(30);
  });
});
