/** Scope: what an attempt has to do with its handler's circuit, shared in a store; the breaker has a spec of its own. */
import { describe, expect, it, vi } from 'vitest';
import type { ResolvedCircuitOptions, ResolvedRetryOptions } from '../discovery/on-event.options.js';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PermanentError } from '../errors/permanent.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import type { Attempt } from './attempt.js';
import { CircuitMiddleware } from './circuit.middleware.js';
import { Circuits } from './circuits.js';

const circuit: ResolvedCircuitOptions = {
  failureThreshold: 2,
  failureRate: 0.5,
  successThreshold: 2,
  openDurationMs: 1_000,
  windowMs: 60_000,
  halfOpenConcurrency: 1,
};

async function setUp(options: { circuit?: false; retryIf?: ResolvedRetryOptions['retryIf'] } = {}) {
  const clock = new ManualClock();
  const store = new MemoryStore(clock);
  const plain = newHandler();
  const retry = { ...plain.options.retry, retryIf: options.retryIf };
  const handler = { ...plain, options: { ...plain.options, retry, circuit: options.circuit ?? circuit } };
  const node = await store.registerNode({ label: 'n', host: 'here', pid: 1 }, clock.now());
  await store.registerHandlers(
    node,
    [{ name: 'h', priority: 50, ordered: false, onDeadLetter: 'block', patterns: ['a.b'] }],
    clock.now(),
  );
  const logger = { warn: vi.fn(), error: vi.fn(), log: vi.fn() };
  const circuits = new Circuits([handler], {
    store,
    clock,
    logger: logger,
    onChange: () => undefined,
    onMoved: () => undefined,
    lifecycle: new EventLifecycle(),
  });
  const middleware = new CircuitMiddleware(circuits, clock);
  /** An attempt claimed in the circuit's present epoch, unless another is given. */
  const claimed = (circuitEpoch = circuits.get('h')?.epoch) => newAttempt(handler, { circuitEpoch });
  /** What the call came to; `before` may do something to the attempt while it runs. */
  const call = async (error?: unknown, before: (attempt: Attempt) => void = () => undefined): Promise<unknown> => {
    const attempt = claimed();
    try {
      await middleware.invoke(attempt, async () => {
        before(attempt);
        if (error !== undefined) throw error;
      });
      return 'returned';
    } catch (thrown) {
      return thrown;
    }
  };
  const shared = async () => (await store.handlerStates())[0].circuit;
  const state = () => circuits.get('h')?.state;
  const letTry = async () => {
    await clock.advance(circuit.openDurationMs);
    await circuits.carryOutDue();
  };
  return { clock, store, circuits, middleware, claimed, call, shared, state, letTry };
}

const down = new Error('down');

describe('a circuit', () => {
  it('opens on failures, for all nodes, before the attempt ends', async () => {
    const { clock, call, shared } = await setUp();
    expect(await call(down)).toBe(down);
    expect(await shared()).toEqual({ state: 'closed', epoch: 0, openedAt: null, successes: 0 });
    expect(await call(down)).toBe(down);
    expect(await shared()).toEqual({ state: 'open', epoch: 1, openedAt: clock.now(), successes: 0 });
  });

  it('refuses while it is open, until it may try', async () => {
    const { clock, middleware, claimed, call } = await setUp();
    await call(down);
    await call(down);
    await clock.advance(400);
    const attempt = claimed();
    const next = vi.fn();
    const refused: unknown = await middleware.invoke(attempt, next).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused).toMatchObject({ handler: 'h', retryAt: clock.now() + 600 });
    expect(attempt.refusal).toBe(refused);
    expect(next).not.toHaveBeenCalled();
  });

  it('half-open lets through what was claimed as a trial, and nothing that was claimed before', async () => {
    const { clock, call, claimed, middleware, state, letTry } = await setUp();
    await call(down);
    await call(down);
    await letTry();
    expect(state()).toBe('half-open');
    for (const epoch of [0, 1]) {
      await expect(middleware.invoke(claimed(epoch), vi.fn())).rejects.toMatchObject({
        code: 'EVENTS_CIRCUIT_OPEN',
        retryAt: clock.now() + 1_000,
      });
    }
    expect(await call()).toBe('returned');
  });

  it('closes after so many successful trials', async () => {
    const { call, shared, state, letTry } = await setUp();
    await call(down);
    await call(down);
    await letTry();
    await call();
    expect(await shared()).toEqual({ state: 'half-open', epoch: 2, openedAt: null, successes: 1 });
    await call();
    expect(await shared()).toEqual({ state: 'closed', epoch: 3, openedAt: null, successes: 0 });
    expect(state()).toBe('closed');
  });

  it('opens again when a trial fails', async () => {
    const { clock, call, shared, letTry } = await setUp();
    await call(down);
    await call(down);
    await letTry();
    expect(await call(down)).toBe(down);
    expect(await shared()).toEqual({ state: 'open', epoch: 3, openedAt: clock.now(), successes: 0 });
  });

  it('counts a timeout', async () => {
    const { state, call } = await setUp();
    const late = new HandlerTimeoutError('h', 100);
    for (let n = 0; n < 2; n++) await call(late, (attempt) => attempt.abort(late));
    expect(state()).toBe('open');
  });

  it.each([
    ['a snooze', new SnoozeError(1)],
    ['a refusal', new RateLimitedError('h', 1)],
    ['a PermanentError, wrapped', new Error('outer', { cause: new PermanentError('never') })],
    ['a PermanentError among others', new AggregateError([down, new PermanentError('never')])],
    ['a lost lease', new LeaseLostError('h', '1')],
    ['an abort', new AttemptAbortedError('h', 'shutdown')],
  ])('counts %s neither way: as a trial it decides nothing', async (_what, error) => {
    const { state, call, shared, letTry } = await setUp();
    for (let n = 0; n < 5; n++) expect(await call(error)).toBe(error);
    expect(state()).toBe('closed');
    await call(down);
    await call(down);
    await letTry();
    for (let n = 0; n < 5; n++) expect(await call(error)).toBe(error);
    expect(await shared()).toMatchObject({ state: 'half-open', successes: 0 });
  });

  it('does not count what a handler throws because it was aborted', async () => {
    const { state, call } = await setUp();
    for (let n = 0; n < 5; n++) await call(down, (attempt) => attempt.abort(new AttemptAbortedError('h', 'cancelled')));
    expect(state()).toBe('closed');
  });

  it('counts what retryIf lets live, a retryIf that throws, and an error that cannot be read', async () => {
    const refusing = await setUp({ retryIf: () => false });
    for (let n = 0; n < 5; n++) await refusing.call(down);
    expect(refusing.state()).toBe('closed');

    const broken = await setUp({
      retryIf: () => {
        throw new Error('bug');
      },
    });
    for (let n = 0; n < 2; n++) await broken.call(down);
    expect(broken.state()).toBe('open');

    const unreadable = new Proxy(new Error('x'), {
      getPrototypeOf: () => {
        throw new Error('trap');
      },
    });
    const usual = await setUp();
    for (let n = 0; n < 2; n++) await usual.call(unreadable);
    expect(usual.state()).toBe('open');
  });

  it('counts an error after the transaction committed as the success that it is', async () => {
    const { call, shared, letTry } = await setUp();
    for (let n = 0; n < 5; n++) expect(await call(down, (attempt) => (attempt.committed = true))).toBe(down);
    await call(down);
    // One failure of six calls.
    expect((await shared()).state).toBe('closed');
    for (let n = 0; n < 9; n++) await call(down);
    await letTry();
    await call(down, (attempt) => (attempt.committed = true));
    expect(await shared()).toMatchObject({ state: 'half-open', successes: 1 });
  });
});

describe('a handler without a circuit', () => {
  it('is always called, at once', async () => {
    const { circuits, middleware, claimed, call } = await setUp({ circuit: false });
    for (let n = 0; n < 20; n++) expect(await call(down)).toBe(down);
    expect(circuits.get('h')).toBeUndefined();
    const going = Promise.resolve();
    expect(middleware.invoke(claimed(), () => going)).toBe(going);
  });
});
