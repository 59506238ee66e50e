import assert from 'node:assert/strict';
import type { TokenAnswer, TokenTake } from '../../store/chain.store.js';
import type { EventStore } from '../../store/event-store.js';
import { contractCases } from './contract-case.js';
import { HOUR, join, T0 } from './scene.js';

/** A bucket of two, one token a second. */
const TAKE: TokenTake = { handler: 'mail', key: 'a', burst: 2, intervalMs: 1_000 };

/** Takes that follow each other in one call. A `nextSlot` that is over says the same as 0. */
async function takes(store: EventStore, given: readonly Partial<TokenTake>[], now = T0): Promise<TokenAnswer[]> {
  const answers = await store.takeTokens(
    given.map((one) => ({ ...TAKE, ...one })),
    now,
  );
  return answers.map((one) => ({ ...one, nextSlot: one.nextSlot > now ? one.nextSlot : 0 }));
}

const taken = (tokens: number): TokenAnswer => ({ slotAt: null, tokens, nextSlot: 0 });
const slot = (slotAt: number): TokenAnswer => ({ slotAt, tokens: 0, nextSlot: slotAt });

export const tokenCases = contractCases('tokens', {
  'a bucket is full at first; when it is empty every take gets a slot of its own': async ({ store, another }) => {
    await join(store);
    assert.deepEqual(await takes(store, [{}, {}, {}]), [taken(1), taken(0), slot(T0 + 1_000)]);
    assert.deepEqual(await takes(await another(), [{}], T0 + 500), [slot(T0 + 2_000)]);
  },

  'a bucket fills bit by bit, up to its burst': async ({ store }) => {
    await join(store);
    await takes(store, [{}, {}]);
    assert.deepEqual(await takes(store, [{}], T0 + 1_500), [taken(0.5)]);
    assert.deepEqual(await takes(store, [{}], T0 + 1_750), [slot(T0 + 2_000)]);
    assert.deepEqual(await takes(store, [{}], T0 + 2_250), [slot(T0 + 3_000)]);
    assert.deepEqual(await takes(store, [{}, {}, {}], T0 + HOUR), [taken(1), taken(0), slot(T0 + HOUR + 1_000)]);
  },

  'a time that is behind what the bucket has seen fills nothing': async ({ store }) => {
    await join(store);
    await takes(store, [{}, {}], T0 + HOUR);
    assert.deepEqual(await takes(store, [{}], T0), [slot(T0 + HOUR + 1_000)]);
  },

  'a slot is a whole millisecond, rounded up': async ({ store }) => {
    await join(store);
    const third = { burst: 1, intervalMs: 1_000 / 3 };
    const slots = (await takes(store, [third, third, third, third])).map((one) => one.slotAt);
    assert.deepEqual(slots, [null, T0 + 334, T0 + 667, T0 + 1_000]);
  },

  'every handler and every key has a bucket of its own, compared exactly': async ({ store }) => {
    await join(store);
    const one = { burst: 1 };
    const others = ['a', 'A', 'á', 'a ', ' a', '', `'; --`, '__proto__', 'k'.repeat(255)].map((key) => ({
      ...one,
      key,
    }));
    const given = [...others, { ...one, handler: 'ledger' }, { ...one, handler: 'mail' }];
    assert.deepEqual(await takes(store, given), [...given.slice(0, -1).map(() => taken(0)), slot(T0 + 1_000)]);
  },

  'a limit that has changed applies from then on': async ({ store }) => {
    await join(store);
    await takes(store, [{ burst: 10 }]);
    assert.deepEqual(await takes(store, [{ burst: 3 }]), [taken(2)]);
    assert.deepEqual(await takes(store, [{}, {}, { intervalMs: 50 }]), [taken(1), taken(0), slot(T0 + 50)]);
  },

  'stores that take at once never get more than the burst, and no slot twice': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const five = Array.from({ length: 5 }, () => ({ burst: 10 }));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => takes(index % 2 === 0 ? store : other, five)),
    );
    const slots = answers.flat().map((one) => one.slotAt);
    assert.deepEqual(
      slots.filter((one) => one !== null).toSorted((a, b) => a - b),
      Array.from({ length: 40 }, (_, index) => T0 + (index + 1) * 1_000),
    );
    assert.equal(slots.filter((one) => one === null).length, 10);
  },

  'calls that take the same buckets in another order do not hinder each other': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const keys = Array.from({ length: 10 }, (_, index) => ({ key: `k${index}`, burst: 20 }));
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0 ? takes(store, keys) : takes(other, keys.toReversed()),
      ),
    );
    assert.deepEqual(
      answers.flat().filter((one) => one.slotAt !== null),
      [],
    );
    assert.deepEqual(
      await takes(store, keys),
      keys.map(() => slot(T0 + 1_000)),
    );
  },

  'takes nothing when it is given nothing': async ({ store }) => {
    assert.deepEqual(await store.takeTokens([], T0), []);
  },
});
