/** Scope: which attempts claim which key, and what each answer of the store makes of them. */
import { describe, expect, it, vi } from 'vitest';
import type { ResolvedIdempotencyOptions } from '../discovery/on-event.options.js';
import { defineEvent } from '../envelope/define-event.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import { ChainUnavailableError } from '../errors/chain-unavailable.error.js';
import { InvalidKeyError } from '../errors/invalid-key.error.js';
import { KeyBusyError } from '../errors/key-busy.error.js';
import type { KeyAnswer, KeyClaim } from '../store/chain.store.js';
import type { ClaimedDelivery } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import { IdempotencyMiddleware } from './idempotency.middleware.js';
import { Outage } from './outage.js';

const START = 1_000_000;

interface Given {
  readonly idempotency?: Partial<ResolvedIdempotencyOptions> | false;
  readonly definition?: EventDefinition;
  readonly payload?: unknown;
  readonly delivery?: Partial<Omit<ClaimedDelivery, 'event'>>;
  /** What the store says of the key. */
  readonly answer?: KeyAnswer;
}

const orderOf: ResolvedIdempotencyOptions['key'] = ({ payload }) => (payload as { order?: string }).order;

function setUp({ idempotency, definition, payload = { order: 'o1' }, delivery, answer }: Given = {}) {
  const clock = new ManualClock(START);
  const logger = { log: vi.fn(), error: vi.fn() };
  const claimKeys = vi.fn(async (claims: readonly KeyClaim[], _now: number) =>
    claims.map((): KeyAnswer => answer ?? { state: 'claimed' }),
  );
  const middleware = new IdempotencyMiddleware({ claimKeys }, clock, new Outage(clock, logger));
  const options =
    idempotency !== false && ({ key: orderOf, ttlMs: 3_600_000, processingTtlMs: 60_000, ...idempotency } as const);
  const handler = newHandler({ options: { idempotency: options }, definitions: definition ? [definition] : [] });
  const attempt = newAttempt(handler, { event: { payload: JSON.stringify(payload) }, delivery });
  const next = vi.fn(async () => {});
  /** What it came to: 'passed', or the error. */
  const invoke = () =>
    middleware.invoke(attempt, next).then(
      () => 'passed',
      (error: unknown) => error,
    );
  return { clock, claimKeys, middleware, attempt, next, invoke };
}

describe('a key that is free', () => {
  it('is claimed for the delivery, and the rest runs', async () => {
    const { claimKeys, attempt, next, invoke } = setUp({ delivery: { id: 7 } });
    expect(await invoke()).toBe('passed');
    expect(claimKeys.mock.calls).toEqual([[[{ handler: 'h', key: 'o1', owner: 7, expiresAt: START + 60_000 }], START]]);
    expect([attempt.key, attempt.duplicate, next.mock.calls.length]).toEqual([
      { key: 'o1', ttlMs: 3_600_000 },
      false,
      1,
    ]);
  });

  it('stays the attempt’s when the rest fails', async () => {
    const { attempt, next, invoke } = setUp();
    const down = new Error('down');
    next.mockRejectedValue(down);
    expect(await invoke()).toBe(down);
    expect(attempt.key).toEqual({ key: 'o1', ttlMs: 3_600_000 });
  });

  it('is asked for together with others of the same turn', async () => {
    const { claimKeys, middleware, attempt, next } = setUp();
    await Promise.all([middleware.invoke(attempt, next), middleware.invoke(attempt, next)]);
    expect(claimKeys.mock.calls.map(([claims]) => claims.length)).toEqual([2]);
  });
});

describe('a key that is completed', () => {
  it('makes a duplicate: the rest does not run', async () => {
    const { attempt, next, invoke } = setUp({ answer: { state: 'completed' } });
    expect(await invoke()).toBe('passed');
    const { duplicate, key, refusal } = attempt;
    expect({ duplicate, key, refusal }).toEqual({ duplicate: true, key: undefined, refusal: undefined });
    expect(next).not.toHaveBeenCalled();
  });
});

describe('a key that another delivery is at', () => {
  const busy = (expiresAt: number): KeyAnswer => ({ state: 'processing', expiresAt });

  it('refuses the attempt', async () => {
    const { attempt, next, invoke } = setUp({ answer: busy(START + 60_000) });
    const refused = await invoke();
    expect(refused).toBeInstanceOf(KeyBusyError);
    expect(refused).toMatchObject({ handler: 'h', retryAt: START + 1_000 });
    expect([attempt.refusal, attempt.key, next.mock.calls]).toEqual([refused, undefined, []]);
  });

  it('is looked at again after a second, doubled each time it was in vain, up to thirty', async () => {
    const waits: number[] = [];
    for (const claims of [1, 2, 3, 4, 5, 6, 7, 1_000_000]) {
      const { invoke } = setUp({ answer: busy(START + 60_000), delivery: { claims } });
      waits.push(((await invoke()) as KeyBusyError).retryAt - START);
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  it('does not count attempts and crashes as in vain', async () => {
    const { invoke } = setUp({ answer: busy(START + 60_000), delivery: { claims: 6, attempts: 2, crashes: 1 } });
    expect(await invoke()).toMatchObject({ retryAt: START + 4_000 });
  });

  it.each([
    [700, 700],
    [0, 1],
    [-5, 1],
  ])('that may take %i ms more is waited for no longer', async (leftMs, waitMs) => {
    const { invoke } = setUp({ answer: busy(START + leftMs), delivery: { claims: 5 } });
    expect(await invoke()).toMatchObject({ retryAt: START + waitMs });
  });
});

describe('the key of an event', () => {
  const definition = defineEvent<{ order?: string }>({ type: 'a.b', idempotencyKey: ({ order }) => order });

  it('is the definition’s where the handler has none, else the handler’s', async () => {
    const own = setUp({ definition, idempotency: { key: () => 'own' } });
    const inherited = setUp({ definition, idempotency: { key: undefined } });
    await own.invoke();
    await inherited.invoke();
    expect([own.attempt.key?.key, inherited.attempt.key?.key]).toEqual(['own', 'o1']);
  });

  it.each([
    ['undefined', {}],
    ['empty', { order: '' }],
    ['null', { order: null }],
  ])('that is %s is no key: the handler runs every time', async (_what, payload) => {
    const { invoke, claimKeys, next, attempt } = setUp({ payload });
    expect(await invoke()).toBe('passed');
    expect([claimKeys.mock.calls, next.mock.calls.length, attempt.key]).toEqual([[], 1, undefined]);
  });

  it.each([
    ['nobody names one', {}],
    ['the definition names none', { definition: defineEvent({ type: 'a.b' }) }],
  ])('costs nothing where %s', (_what, given) => {
    const { middleware, attempt } = setUp({ ...given, idempotency: { key: undefined } });
    const going = Promise.resolve();
    expect(middleware.invoke(attempt, () => going)).toBe(going);
  });

  it('is not used by a handler with idempotency: false', () => {
    const { middleware, attempt } = setUp({ definition, idempotency: false });
    const going = Promise.resolve();
    expect(middleware.invoke(attempt, () => going)).toBe(going);
  });

  it.each([
    ['a number', 7, 'a number, not a text'],
    ['over 255 characters', 'x'.repeat(256), '256 characters long, but may have 255'],
    ['with NUL', 'a\0b', 'a text with NUL or half of a surrogate pair'],
    ['with half of a surrogate pair', 'a\ud83d', 'a text with NUL or half of a surrogate pair'],
    ['with the other half', '\udc00a', 'a text with NUL or half of a surrogate pair'],
  ])('must be storable everywhere, not %s', async (_what, key, problem) => {
    const own = setUp({ idempotency: { key: () => key as string } });
    const error = await own.invoke();
    expect(error).toBeInstanceOf(InvalidKeyError);
    expect(error).toMatchObject({
      option: 'idempotency.key',
      message: `idempotency.key of handler h answered ${problem}`,
    });
    expect([own.claimKeys.mock.calls, own.next.mock.calls, own.attempt.refusal]).toEqual([[], [], undefined]);

    const inherited = setUp({ idempotency: { key: undefined }, definition, payload: { order: key } });
    expect(await inherited.invoke()).toMatchObject({ option: 'idempotencyKey' });
  });

  it('may be a whole emoji, and 255 characters', async () => {
    for (const order of ['😀', 'x'.repeat(255)]) {
      const { invoke, attempt } = setUp({ payload: { order } });
      expect([await invoke(), attempt.key?.key]).toEqual(['passed', order]);
    }
  });
});

describe('a database that does not answer', () => {
  it('refuses the attempt: the work must not be done twice', async () => {
    const { claimKeys, attempt, next, invoke } = setUp();
    claimKeys.mockRejectedValue(new Error('down'));
    const refused = await invoke();
    expect(refused).toBeInstanceOf(ChainUnavailableError);
    expect(refused).toMatchObject({ what: 'idempotency key', retryAt: START + 1_000 });
    expect([attempt.refusal, attempt.key, next.mock.calls]).toEqual([refused, undefined, []]);
  });
});
