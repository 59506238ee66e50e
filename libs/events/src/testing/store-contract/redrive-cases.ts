import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { AttemptFailure } from '../../store/records.js';
import { contractCases } from './contract-case.js';
import {
  append,
  claim,
  claimOne,
  deadLetters,
  event,
  eventIds,
  failure,
  join,
  names,
  only,
  settle,
  T0,
} from './scene.js';

/** One letter for each failure, named after its place. */
async function lettersOf(store: EventStore, failures: readonly (AttemptFailure | null)[]): Promise<void> {
  const node = await join(store);
  for (const [index, one] of failures.entries()) {
    await append(store, [event(`e${index}`, ['mail'])]);
    const dead = { outcome: 'dead', reason: 'exhausted', failure: one } as const;
    assert.ok(await settle(store, node, await claimOne(store, node), dead));
  }
}

export const redriveCases = contractCases('redrive', {
  'with a pace letters come one after the other, the oldest first': async ({ store }) => {
    const node = await join(store);
    const letters = await deadLetters(
      store,
      node,
      names('e', 5).map((id) => event(id, ['mail'])),
    );
    const pace = { startAt: T0 + 100, everyMs: 50 };
    const ids = letters.map((one) => one.id);
    const redriven = await store.redrive({}, 4, T0 + 150, pace);
    assert.deepEqual(
      redriven.toSorted((a, b) => a - b),
      ids.slice(0, 4),
    );
    const found = await Promise.all(names('e', 5).map((id) => only(store, id)));
    assert.deepEqual(
      found.map((one) => [one.state, one.availableAt]),
      [
        ['pending', null],
        ['pending', null],
        ['scheduled', T0 + 200],
        ['scheduled', T0 + 250],
        ['dead', null],
      ],
    );
    assert.deepEqual(eventIds(await claim(store, node)), ['e0', 'e1']);
    assert.deepEqual(await store.stage(T0 + 200, 10), { staged: 1, nextDueAt: T0 + 250 });
    const [third] = await claim(store, node);
    assert.deepEqual([third?.event.id, third?.claims, third?.attempts], ['e2', 2, 0]);
  },

  'a text finds letters with a failure that says it, wherever it does': async ({ store }) => {
    await lettersOf(store, [
      failure(1, { name: 'PaymentError', message: 'no funds' }),
      failure(1, { message: 'card refused' }),
      failure(1, { stack: 'Error\n    at charge (card.ts:7:1)' }),
      failure(1, { causes: [{ name: 'Error', message: 'ECONNREFUSED' }] }),
      null,
    ]);
    const found = async (errorText: string) =>
      (await store.listDeadLetters({ errorText }, 10)).map((letter) => letter.event.id).toReversed();
    assert.deepEqual(await found('PaymentError'), ['e0']);
    assert.deepEqual(await found('card'), ['e1', 'e2']);
    assert.deepEqual(await found('Error\n    at charge (card.ts'), ['e2']);
    assert.deepEqual(await found('ECONNREFUSED'), ['e3']);
    assert.deepEqual(await found('nothing like it'), []);
    assert.equal(await store.countDeadLetters({ errorText: 'card' }), 2);
    assert.deepEqual(await store.discard({ errorText: 'card', eventId: 'e2' }, 10), [(await only(store, 'e3')).id - 1]);
    assert.deepEqual((await store.redrive({ errorText: 'card' }, 10, T0)).length, 1);
    assert.equal((await only(store, 'e1')).state, 'pending');
  },

  'a text is compared exactly, and means nothing but itself': async ({ store }) => {
    const texts = ['100% "sure"', 'under_score', 'back\\slash', 'Größe 漢字 🎉', `'; --`, 'line 1\nline 2'];
    const others = ['1000 "sure"', 'underXscore', 'backslash', 'GRÖSSE', `';`, 'line 1 line 2'];
    await lettersOf(
      store,
      [...texts, ...others].map((message) => failure(1, { message })),
    );
    for (const [index, errorText] of texts.entries()) {
      const letters = await store.listDeadLetters({ errorText }, 10);
      assert.deepEqual(
        letters.map((letter) => letter.event.id),
        [`e${index}`],
        errorText,
      );
    }
    assert.deepEqual(await store.listDeadLetters({ errorText: 'UNDER_SCORE' }, 10), []);
  },
});
