import { describe, expect, it } from 'vitest';
import { UpcastError } from '../errors/upcast.error.js';
import { defineEvent } from './define-event.js';
import { upcastPayload } from './upcast-payload.js';

/** Scope: payloads of older versions on their way to the definition's. */

interface Name {
  readonly first: string;
  readonly last: string;
}

const named = defineEvent<{ name: Name; greeting: string }>({
  type: 'user.named',
  version: 3,
  upcasters: {
    1: ({ name }: { name: string }) => ({ name: { first: name.split(' ')[0], last: name.split(' ')[1] } }),
    2: async (old: { name: Name }) => Promise.resolve({ ...old, greeting: `Hello ${old.name.first}` }),
  },
});

it('each step makes the next version, at once or in a while, from whichever version it was', async () => {
  const name = { first: 'Ada', last: 'King' };
  const lifted = [
    upcastPayload(named, 1, { name: 'Ada King' }),
    upcastPayload(named, 2, { name }),
    upcastPayload(named, 3, { name, greeting: 'Hi' }),
  ];
  expect(await Promise.all(lifted)).toEqual([
    { name, greeting: 'Hello Ada' },
    { name, greeting: 'Hello Ada' },
    { name, greeting: 'Hi' },
  ]);
});

it('what an upcaster gets is frozen all the way down, at each step', async () => {
  const frozen: boolean[] = [];
  const look = (payload: { list: number[] }) => {
    frozen.push(Object.isFrozen(payload), Object.isFrozen(payload.list));
    return { list: [...payload.list] };
  };
  const definition = defineEvent({ type: 'a', version: 3, upcasters: { 1: look, 2: look } });
  await upcastPayload(definition, 1, { list: [1] });
  expect(frozen).toEqual([true, true, true, true]);
});

describe('cannot be lifted', () => {
  const cause = new Error('card 4111 is unknown');
  const broken = defineEvent({
    type: 'card.used',
    version: 6,
    upcasters: {
      1: () => {
        throw cause;
      },
      2: () => Promise.reject(cause),
      3: (old: { paid?: boolean }) => void (old.paid = true),
      4: () => undefined,
    },
  });

  it.each([
    [1, 'the upcaster failed', cause],
    [2, 'the upcaster failed', cause],
    [3, 'the upcaster failed', expect.any(TypeError) as unknown],
    [4, 'the upcaster answered nothing', undefined],
    [5, 'its definition has no upcaster for that', undefined],
  ])('version %i: %s', async (version, problem, cause) => {
    const error: unknown = await upcastPayload(broken, version, { secret: 1 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UpcastError);
    const { code, eventType, fromVersion, toVersion, message } = error as UpcastError;
    expect({ code, eventType, fromVersion, toVersion, message, cause: (error as UpcastError).cause }).toEqual({
      code: 'EVENTS_UPCAST',
      eventType: 'card.used',
      fromVersion: version,
      toVersion: version + 1,
      message: `card.used cannot be lifted from version ${version} to ${version + 1}: ${problem}`,
      cause,
    });
  });

  it('when a step in the middle is missing, whichever version it comes from', async () => {
    const gap = defineEvent({ type: 'a', version: 4, upcasters: { 1: () => 2, 3: () => 4 } });
    await expect(upcastPayload(gap, 1, 1)).rejects.toMatchObject({ fromVersion: 2, toVersion: 3 });
    await expect(upcastPayload(defineEvent({ type: 'a', version: 2 }), 0, 1)).rejects.toMatchObject({ fromVersion: 0 });
  });
});
