/** Scope: what is asked of the store, and when: over the in-memory store, with handlers `a` and `b`. */
import { describe, expect, it, vi } from 'vitest';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { MemoryDatabase } from '../store/memory/memory-database.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import type { ClaimRequest } from '../store/delivery.store.js';
import { event } from '../testing/store-contract/scene.js';
import { Claimer } from './claimer.js';
import type { Claimed } from './handler-slot.js';
import { HandlerSlots } from './handler-slots.js';
import { newBreaker, newSlot, type SlotState } from './slot.fixture.js';
import { StrayLeases } from './stray-leases.js';

const idle = { running: 0, suspects: 0 };

async function setUp(
  states: Record<string, SlotState> = { a: {}, b: {} },
  limits = { concurrency: 5, batchSize: 100 },
) {
  const clock = new ManualClock(0);
  const database = new MemoryDatabase();
  const store = new MemoryStore(clock, database);
  const node = await store.registerNode({ label: 'n', host: 'here', pid: 1 }, clock.now());
  const names = Object.keys(states);
  await store.registerHandlers(
    node,
    names.map((name) => ({ name, priority: 50, ordered: false, onDeadLetter: 'block', patterns: ['a.b'] })),
    clock.now(),
  );
  const slots = new HandlerSlots();
  for (const name of names) slots.add(newSlot(name, states[name], clock));
  const strays = new StrayLeases(store, clock, { warn: () => undefined });
  const claimer = new Claimer(store, clock, limits, slots, strays, new EventLifecycle());
  let published = 0;
  /** Publishes events, each to all of these handlers. */
  const publish = async (count: number, handlers = names) => {
    const { version } = await store.loadRegistry();
    const events = Array.from({ length: count }, () => event(`e${++published}`, handlers));
    await store.append({ events, registryVersion: version, now: clock.now() });
  };
  return { clock, database, store, node, slots, claimer, publish };
}

const ids = (claimed: readonly Claimed[] | null) => claimed?.map(({ delivery }) => delivery.id);

describe('a claim', () => {
  it('brings what can start, under this node’s lease, with one message for all deliveries of an event', async () => {
    const { store, node, claimer, publish } = await setUp();
    await publish(1);
    const claimed = (await claimer.batch(node, idle)) ?? [];
    expect(claimed.map(({ delivery, node, circuitEpoch }) => [delivery.handler, node, circuitEpoch])).toEqual([
      ['a', node, 0],
      ['b', node, 0],
    ]);
    expect(claimed[0].event).toBe(claimed[1].event);
    expect((await store.findDeliveries('e1')).map(({ state }) => state)).toEqual(['processing', 'processing']);
  });

  it('is limited by what runs already, and not made when nothing is wanted', async () => {
    const { store, node, claimer, publish } = await setUp();
    await publish(9, ['a']);
    const claim = vi.spyOn(store, 'claim');
    expect(ids(await claimer.batch(node, { running: 3, suspects: 0 }))).toEqual([1, 2]);
    expect(await claimer.batch(node, { running: 5, suspects: 0 })).toEqual([]);
    expect(claim).toHaveBeenCalledTimes(1);
  });

  it('notes which handlers may have more', async () => {
    const { node, claimer, publish, slots } = await setUp({ a: { concurrency: 2 }, b: { concurrency: 2 } });
    await publish(3, ['a']);
    await claimer.batch(node, idle);
    expect([...slots].map(({ name, maybeMore }) => [name, maybeMore])).toEqual([
      ['a', true],
      ['b', false],
    ]);
  });

  it('may bring a suspect only while there is none here', async () => {
    const { store, node, claimer, publish } = await setUp({ a: {} });
    await publish(3);
    const other = await store.registerNode({ label: 'o', host: 'there', pid: 1 }, 0);
    await store.claim({ node: other, wants: [{ handler: 'a', limit: 2 }], limit: 2, suspect: true });
    await store.removeNode(other, 0);
    expect(ids(await claimer.batch(node, { running: 0, suspects: 1 }))).toEqual([3]);
    expect(ids(await claimer.batch(node, idle))).toEqual([1]);
  });

  describe('of a hundred or more', () => {
    /** The store honours marks, and each of its claims takes 20 ms. `asked` = where claims of `a` began. */
    async function quick(count: number) {
      const scene = await setUp({ a: { concurrency: 1_000, meanMs: 0 } }, { concurrency: 1_000, batchSize: 100 });
      const { clock, store } = scene;
      const asked: (number | undefined)[] = [];
      const claim = store.claim.bind(store);
      vi.spyOn(store, 'claim').mockImplementation(async (request) => {
        await clock.advance(20);
        const { after } = request.wants[0];
        asked.push(after?.id);
        const hidden = after && after.id >= BEHIND;
        return hidden ? claim({ ...request, wants: [] }) : claim(request);
      });
      await scene.publish(count);
      return { ...scene, asked };
    }
    /** A store that was told to begin here has nothing more to give. */
    const BEHIND = 300;

    it('lets the next one begin behind it, until it is time to look from the beginning again', async () => {
      const { node, claimer, asked, slots } = await quick(1_500);
      for (let round = 0; round < 2; round++) {
        await claimer.batch(node, idle);
        expect(claimer.passedOver).toBe(false);
      }
      await claimer.batch(node, idle);
      expect(asked).toEqual([undefined, 100, 200]);
      expect(slots.get('a')?.mark.after(0)).toMatchObject({ id: 300 });
    });

    it('is followed at once by one from the beginning when it brought too little behind its mark', async () => {
      const { node, claimer, asked } = await quick(350);
      for (let round = 0; round < 3; round++) await claimer.batch(node, idle);
      expect(ids(await claimer.batch(node, idle))).toEqual([]);
      expect([claimer.passedOver, asked.at(-1)]).toEqual([true, 300]);
      expect(await claimer.batch(node, idle)).toHaveLength(50);
      expect([claimer.passedOver, asked.at(-1)]).toEqual([false, undefined]);
    });

    it('hides nothing for longer than ten times a look, though there is always more behind its mark', async () => {
      const { clock, node, claimer, asked } = await quick(1_500);
      await claimer.batch(node, idle);
      await clock.advance(199);
      await claimer.batch(node, idle);
      await clock.advance(1);
      await claimer.batch(node, idle);
      expect(asked).toEqual([undefined, 100, undefined]);
    });
  });

  it('is null when the store knows no such node', async () => {
    const { database, node, claimer, publish } = await setUp();
    await publish(1);
    database.nodes.clear();
    expect(await claimer.batch(node, idle)).toBeNull();
  });

  it('carries the epoch in which it was asked, should the circuit go on meanwhile', async () => {
    const breaker = newBreaker('closed');
    const { store, node, claimer, publish } = await setUp({ a: { breaker } });
    await publish(1);
    breaker.adopt({ state: 'closed', epoch: 4, openedAt: null });
    const claim = store.claim.bind(store);
    vi.spyOn(store, 'claim').mockImplementation(async (request) => {
      const answer = await claim(request);
      breaker.adopt({ state: 'open', epoch: 5, openedAt: 0 });
      return answer;
    });
    expect((await claimer.batch(node, idle))?.map(({ circuitEpoch }) => circuitEpoch)).toEqual([4]);
  });

  it('brings nothing of a circuit that another node has opened', async () => {
    const { store, node, claimer, publish } = await setUp({ a: { breaker: newBreaker('closed') }, b: {} });
    await publish(1);
    await store.changeCircuit('a', 0, 'open', 0);
    expect((await claimer.batch(node, idle))?.map(({ delivery }) => delivery.handler)).toEqual(['b']);
  });
});

describe('trials', () => {
  /** Handler `a` is half-open in its second epoch, here and in the store; two trials at a time. */
  async function halfOpen(state: SlotState = {}) {
    const scene = await setUp({ a: { ...state, breaker: newBreaker('half-open') }, b: {} });
    await scene.store.changeCircuit('a', 0, 'open', 0);
    await scene.store.changeCircuit('a', 1, 'half-open', 0);
    return { ...scene, a: scene.slots.get('a')! };
  }

  it('are claimed apart, as many as the circuit lets try at a time, in its epoch', async () => {
    const { node, claimer, publish, a } = await halfOpen();
    await publish(3);
    expect((await claimer.batch(node, idle))?.map(({ delivery }) => delivery.handler)).toEqual(['b', 'b', 'b']);
    expect(claimer.trialSlots(idle)).toEqual([a]);
    const trials = (await claimer.trials(a, node, idle)) ?? [];
    expect(trials.map(({ delivery, circuitEpoch }) => [delivery.handler, circuitEpoch])).toEqual([
      ['a', 2],
      ['a', 2],
    ]);
    expect(await claimer.trials(a, node, idle)).toEqual([]);
  });

  it('are asked for again 200 ms after there were none', async () => {
    const { clock, node, claimer, a } = await halfOpen();
    expect(await claimer.trials(a, node, idle)).toEqual([]);
    await clock.advance(199);
    expect(claimer.trialSlots(idle)).toEqual([]);
    await clock.advance(1);
    expect(claimer.trialSlots(idle)).toEqual([a]);
  });

  it.each([
    ['the node is full', {}, { running: 5, suspects: 0 }],
    ['as many run as may', { running: 2 }, idle],
    ['they run or wait here', { running: 1, held: 1 }, idle],
    ['the handler is paused', { paused: true }, idle],
  ])('are not asked for while %s', async (_what, state, load) => {
    const { claimer } = await halfOpen(state);
    expect(claimer.trialSlots(load)).toEqual([]);
  });

  it('are none of a handler that has no circuit', async () => {
    const { store, node, claimer, slots } = await setUp();
    const claimTrials = vi.spyOn(store, 'claimTrials');
    expect([await claimer.trials(slots.get('a')!, node, idle), claimTrials.mock.calls]).toEqual([[], []]);
  });

  it('are null when the store knows no such node', async () => {
    const { database, node, claimer, a } = await halfOpen();
    database.nodes.clear();
    expect(await claimer.trials(a, node, idle)).toBeNull();
    expect(claimer.trialSlots(idle)).toEqual([a]);
  });

  it('may be a suspect only while there is none here', async () => {
    const { store, node, claimer, a } = await halfOpen();
    const claimTrials = vi.spyOn(store, 'claimTrials');
    await claimer.trials(a, node, { running: 0, suspects: 1 });
    await claimer.trials(a, node, idle);
    const request = { node, handler: 'a', epoch: 2, most: 2 };
    expect(claimTrials.mock.calls).toEqual([[{ ...request, suspect: false }], [{ ...request, suspect: true }]]);
  });
});

describe('a commit', () => {
  /** The handlers have found nothing waiting. */
  async function restful(states?: Record<string, SlotState>) {
    const scene = await setUp(states);
    const { store, clock, claimer, node } = scene;
    await claimer.batch(node, idle);
    const { version: registryVersion } = await store.loadRegistry();
    const commit = (claim?: ClaimRequest) =>
      store.append({ events: [event('new', ['a'])], registryVersion, now: clock.now(), claim });
    return { ...scene, commit };
  }

  it('claims what it brings to a handler that could begin it, whose places are kept meanwhile', async () => {
    const { node, claimer, slots, commit } = await restful();
    const committing = claimer.with(node, idle, ['a'], commit);
    expect(slots.get('a')?.promised).toBe(5);
    const { answer, claimed } = await committing;
    expect([answer.stored, claimed?.map(({ delivery }) => delivery.event.id)]).toEqual([[true], ['new']]);
    expect(slots.get('a')?.promised).toBe(0);
  });

  it('claims nothing for a handler that may have more waiting', async () => {
    const { node, claimer, slots, commit } = await restful();
    slots.get('a')!.maybeMore = true;
    expect((await claimer.with(node, idle, ['a'], commit)).claimed).toBeUndefined();
  });

  it('is null when the store knows no such node, and has stored all the same', async () => {
    const { database, node, store, claimer, commit } = await restful();
    database.nodes.clear();
    expect((await claimer.with(node, idle, ['a'], commit)).claimed).toBeNull();
    expect(await store.findEvent('new')).not.toBeNull();
  });

  it('whose answer is lost makes the node ask what it holds, and no other claims before that', async () => {
    const { node, claimer, slots, commit } = await restful();
    const lost = claimer.with(node, idle, ['a'], async (claim) => {
      await commit(claim);
      throw new Error('lost');
    });
    expect(await claimer.strays(node, () => [])).toEqual([]);
    await expect(lost).rejects.toThrow('lost');
    expect(slots.get('a')?.promised).toBe(0);
    expect((await claimer.with(node, idle, ['a'], commit)).claimed).toBeUndefined();
    expect(await claimer.strays(node, () => [])).toMatchObject([{ handler: 'a' }]);
  });
});
