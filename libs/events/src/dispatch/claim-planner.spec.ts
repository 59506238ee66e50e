/** Scope: what is claimed next, and what is known of the rest after a claim. */
import { describe, expect, it } from 'vitest';
import { newDelivery } from '../invoke/attempt.fixture.js';
import { mayHaveBetter, noteRest, planAlong, planClaim } from './claim-planner.js';
import { HandlerSlots } from './handler-slots.js';
import type { HandlerSlot } from './handler-slot.js';
import { newBreaker, newClaimed, newSlot, type SlotState } from './slot.fixture.js';

const limits = { concurrency: 100, batchSize: 500, running: 0, now: 0 };

describe('a plan', () => {
  it('asks for what can start at once while it is not known how quick a handler is', () => {
    const slots = [
      newSlot('a', { concurrency: 3 }),
      newSlot('b', { concurrency: 5, running: 4 }),
      newSlot('c', { concurrency: 2, running: 2 }),
    ];
    expect(planClaim(slots, { ...limits, running: 6 })).toEqual({
      wants: [
        { handler: 'a', limit: 3, circuit: false },
        { handler: 'b', limit: 1, circuit: false },
      ],
      limit: 94,
    });
  });

  it('never asks for more than the node-wide limit leaves free', () => {
    const slots = [newSlot('a'), newSlot('b')];
    expect(planClaim(slots, { ...limits, concurrency: 12, running: 8 })).toEqual({
      wants: [
        { handler: 'a', limit: 4, circuit: false },
        { handler: 'b', limit: 4, circuit: false },
      ],
      limit: 4,
    });
    expect(planClaim(slots, { ...limits, concurrency: 8, running: 8 })).toEqual({ wants: [], limit: 0 });
  });

  it('asks ahead for quick handlers, 50 ms of their work, and for whole batches at most', () => {
    expect(planClaim([newSlot('a', { meanMs: 10 })], limits)).toEqual({
      wants: [{ handler: 'a', limit: 60, circuit: false }],
      limit: 150,
    });
    expect(planClaim([newSlot('a', { meanMs: 0 })], limits)).toEqual({
      wants: [{ handler: 'a', limit: 500, circuit: false }],
      limit: 500,
    });
    expect(planClaim([newSlot('a', { meanMs: 501 })], limits)).toEqual({
      wants: [{ handler: 'a', limit: 10, circuit: false }],
      limit: 100,
    });
  });

  it("asks ahead for no more than a handler's share of the batch, and for twice as much as it got before", () => {
    const slots = Array.from({ length: 20 }, (_, index) => newSlot(`h${index}`, { meanMs: 0 }));
    const limitsOf = () => planClaim(slots, limits).wants.map(({ limit }) => limit);
    expect(limitsOf()).toEqual(slots.map(() => 25));
    const plan = planClaim(slots, limits);
    const claimed = Array.from({ length: 25 }, (_, index) => newDelivery({ id: index + 1, handler: 'h7' }));
    noteRest({ get: (name) => slots.find((slot) => slot.name === name) }, plan, { claimed, askedAt: 0, answeredAt: 0 });
    expect(limitsOf()).toEqual(slots.map(({ name }) => (name === 'h7' ? 50 : 25)));
  });

  it('asks again only when half of what is held is done, so claims stay large', () => {
    const busy = (held: number) =>
      planClaim([newSlot('a', { meanMs: 10, running: 10, held })], { ...limits, running: 10 }).wants;
    expect(busy(26)).toEqual([]);
    expect(busy(25)).toEqual([{ handler: 'a', limit: 25, circuit: false }]);
  });

  it('leaves the others their room when a handler holds much and has become slow', () => {
    const slow = newSlot('slow', { running: 10, held: 490, meanMs: 30_000 });
    expect(planClaim([slow, newSlot('b')], { ...limits, running: 10 })).toEqual({
      wants: [{ handler: 'b', limit: 10, circuit: false }],
      limit: 90,
    });
  });

  it('asks nothing for an open or a half-open circuit: trials are claimed apart', () => {
    for (const state of ['open', 'half-open'] as const) {
      const guarded = newSlot('a', { breaker: newBreaker(state), meanMs: 1 });
      expect(planClaim([guarded], limits)).toEqual({ wants: [], limit: 100 });
      expect(guarded.maybeMore).toBe(false);
    }
  });

  it('says which handlers have a circuit: it may have opened meanwhile', () => {
    const slots = [newSlot('a', { breaker: newBreaker('closed') }), newSlot('b')];
    expect(planClaim(slots, limits).wants).toEqual([
      { handler: 'a', limit: 10, circuit: true },
      { handler: 'b', limit: 10, circuit: false },
    ]);
  });

  it('asks nothing ahead for a circuit that has just come back', () => {
    const breaker = newBreaker('half-open');
    breaker.adopt({ state: 'closed', epoch: 3, openedAt: null });
    const wants = [{ handler: 'a', limit: 2, circuit: true }];
    expect(planClaim([newSlot('a', { breaker, meanMs: 1 })], limits)).toEqual({ wants, limit: 100 });
  });

  it('asks nothing for a paused handler', () => {
    const paused = newSlot('a', { paused: true, meanMs: 1 });
    expect(planClaim([paused], limits)).toEqual({ wants: [], limit: 100 });
    expect(paused.maybeMore).toBe(false);
  });

  it.each([
    ['as many as have a token', { room: 3 }, 3],
    ['what can run, if that is less', { room: 30 }, 10],
    ['a token less for each that is held', { room: 8, held: 3, running: 10, meanMs: 10 }, 5],
    ['nothing when all are held', { room: 3, held: 3 }, undefined],
    ['nothing when there is none', { room: 0, meanMs: 1 }, undefined],
  ])('asks by the rate limit %s', (_what, state, limit) => {
    const wants = limit === undefined ? [] : [{ handler: 'a', limit, circuit: false }];
    expect(planClaim([newSlot('a', state)], limits).wants).toEqual(wants);
  });

  it('knows that a handler without a token has no more to do now', () => {
    const slots = [newSlot('a', { room: 0 }), newSlot('b', { room: 1 })];
    planClaim(slots, limits);
    expect(slots.map(({ maybeMore }) => maybeMore)).toEqual([false, true]);
  });
});

describe('after a claim', () => {
  const at = { askedAt: 0, answeredAt: 0 };

  it('only a handler that got all it wanted may have more, if nothing else bound', () => {
    const slots = new Map(['a', 'b', 'c'].map((name) => [name, newSlot(name, { concurrency: 2 })]));
    const plan = planClaim(slots.values(), limits);
    const claimed = [
      newDelivery({ handler: 'a', id: 1 }),
      newDelivery({ handler: 'a', id: 2 }),
      newDelivery({ handler: 'b', id: 3 }),
    ];
    expect(noteRest(slots, plan, { claimed, ...at })).toBe(false);
    expect([...slots].map(([name, { maybeMore }]) => [name, maybeMore])).toEqual([
      ['a', true],
      ['b', false],
      ['c', false],
    ]);
  });

  it('any handler may have more when the limit over all of them bound', () => {
    const slots = new Map(['a', 'b'].map((name) => [name, newSlot(name, { concurrency: 2 })]));
    const plan = planClaim(slots.values(), { ...limits, concurrency: 2 });
    const claimed = [newDelivery({ handler: 'a', id: 1 }), newDelivery({ handler: 'a', id: 2 })];
    expect(noteRest(slots, plan, { claimed, ...at })).toBe(false);
    expect([...slots.values()].map(({ maybeMore }) => maybeMore)).toEqual([true, true]);
  });
});

describe('the claim after a large one', () => {
  const times = { askedAt: 0, answeredAt: 20 };
  /** Handlers a and b, both quick; each has got `count` of these deliveries from a claim that took 20 ms. */
  function afterClaim(count: number, limit = 2 * count) {
    const slots = new Map(['a', 'b'].map((name) => [name, newSlot(name, { meanMs: 0 })]));
    const wants = ['a', 'b'].map((handler) => ({ handler, limit: count }));
    const claimed = ['a', 'b'].flatMap((handler, nth) =>
      Array.from({ length: count }, (_, index) => newDelivery({ handler, priority: 7, id: 2 * index + nth + 1 })),
    );
    noteRest(slots, { wants, limit }, { claimed, ...times });
    const plan = (now: number) => planClaim(slots.values(), { ...limits, now });
    const marks = (now: number) => plan(now).wants.map(({ after }) => after?.id);
    return { slots, plan, marks };
  }

  it('begins behind the last delivery that each handler got', () => {
    const { plan, marks } = afterClaim(50);
    expect(plan(20).wants.map(({ after }) => after)).toMatchObject([
      { priority: 7, id: 99 },
      { priority: 7, id: 100 },
    ]);
    expect(marks(219)).toEqual([99, 100]);
  });

  it('begins at the beginning when ten times as long as the last look took has gone by', () => {
    expect(afterClaim(50).marks(220)).toEqual([undefined, undefined]);
  });

  it('begins at the beginning after a claim of few', () => {
    expect(afterClaim(49).marks(20)).toEqual([undefined, undefined]);
  });

  it('begins at the beginning for a handler that got less than it wanted, though nothing else bound', () => {
    const { slots, plan, marks } = afterClaim(80, 161);
    const claimed = Array.from({ length: 499 }, (_, index) => newDelivery({ handler: 'a', id: 1_000 + index }));
    const limited = { wants: plan(20).wants.map((want) => ({ ...want, limit: 499 })), limit: 500 };
    expect(noteRest(slots, limited, { claimed, askedAt: 20, answeredAt: 21 })).toBe(true);
    // There may be more behind the mark that its claim began at.
    expect([...slots.values()].map(({ maybeMore }) => maybeMore)).toEqual([true, true]);
    expect(marks(21)).toEqual([1_498, undefined]);
  });

  it('keeps the place of a handler that had to stand back behind others', () => {
    const { slots, plan, marks } = afterClaim(50);
    const claimed = Array.from({ length: 500 }, (_, index) => newDelivery({ handler: 'a', id: 1_000 + index }));
    expect(noteRest(slots, plan(20), { claimed, askedAt: 20, answeredAt: 21 })).toBe(false);
    expect(marks(21)).toEqual([1_499, 100]);
  });
});

describe('a delivery in hand may have a better one waiting in the store', () => {
  const worse = newClaimed({ priority: 60 });
  const free = 3;

  it.each([
    ['when a handler of a better priority has run dry and may have more', { priority: 50 }, true],
    ['not when that has work in hand', { priority: 50, held: 1 }, false],
    ['not when that is no better', { priority: 60 }, false],
    ['not when that could not use every free place', { priority: 50, running: 8 }, false],
  ])('%s', (_when, state, better) => {
    const slots = [newSlot('a', { priority: 60 }), newSlot('b', state)];
    for (const slot of slots) slot.maybeMore = true;
    expect(mayHaveBetter(slots, worse, free)).toBe(better);
  });

  it('not when the last claim has left nothing behind', () => {
    const dry = newSlot('b');
    dry.maybeMore = false;
    expect(mayHaveBetter([dry], worse, free)).toBe(false);
  });
});

describe('a publish', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

  function slotsOf(...all: HandlerSlot[]): HandlerSlots {
    const slots = new HandlerSlots();
    for (const slot of all) slots.add(slot);
    return slots;
  }

  /** A slot whose last claim has found nothing more. */
  function idle(name: string, state: SlotState = {}): HandlerSlot {
    const slot = newSlot(name, state);
    slot.maybeMore = false;
    return slot;
  }

  it('may claim what idle handlers could begin at once, and nothing for handlers of other nodes', () => {
    const slots = slotsOf(
      idle('a', { concurrency: 3, running: 1 }),
      idle('b', { breaker: newBreaker('closed') }),
      idle('z'),
    );
    expect(planAlong(slots, NAMES, { concurrency: 100, running: 1 })).toEqual([
      { handler: 'a', limit: 2, circuit: false },
      { handler: 'b', limit: 10, circuit: true },
    ]);
  });

  it('claims nothing for a handler that has work, a limit, an order, or must not run', () => {
    const ordered = idle('a');
    ordered.ordered = true;
    const slots = slotsOf(
      ordered,
      idle('b', { held: 1 }),
      newSlot('c'),
      idle('d', { room: 5 }),
      idle('e', { paused: true }),
      idle('f', { breaker: newBreaker('open') }),
      idle('g', { breaker: newBreaker('half-open') }),
    );
    expect(planAlong(slots, NAMES, { concurrency: 100, running: 0 })).toEqual([]);
  });

  it('shares the places of the node, and of each handler, with other publishes on their way and with claims', () => {
    const [a, b] = [idle('a', { concurrency: 6 }), idle('b', { concurrency: 6 })];
    a.promised = 4;
    const slots = slotsOf(a, b);
    expect(planAlong(slots, NAMES, { concurrency: 8, running: 1 })).toEqual([
      { handler: 'a', limit: 2, circuit: false },
      { handler: 'b', limit: 1, circuit: false },
    ]);
    expect(planClaim(slots, { ...limits, concurrency: 8, running: 1 }).wants.map(({ limit }) => limit)).toEqual([2, 3]);
  });
});
