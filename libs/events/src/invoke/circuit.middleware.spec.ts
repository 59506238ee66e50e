import { describe, expect, it } from 'vitest';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type {
  ResolvedCircuitOptions,
  ResolvedHandlerOptions,
  ResolvedRetryOptions,
} from '../discovery/on-event.options.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { CircuitOpenError } from '../errors/circuit-open.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { PermanentError } from '../errors/permanent.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { ManualClock } from '../testing/manual-clock.js';
import { Attempt } from './attempt.js';
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

function setUp(options: { circuit?: false; retryIf?: ResolvedRetryOptions['retryIf'] } = {}) {
  const clock = new ManualClock();
  const retry: ResolvedRetryOptions = {
    maxAttempts: 5,
    backoff: 'fixed',
    initialDelayMs: 1,
    maxDelayMs: 1,
    jitter: 'none',
    retryIf: options.retryIf,
  };
  const resolved: ResolvedHandlerOptions = {
    priority: 50,
    concurrency: 10,
    timeoutMs: 100,
    retry,
    circuit: options.circuit ?? circuit,
  };
  const handler: HandlerDefinition = {
    name: 'h',
    source: 'H.h',
    patterns: ['a.b'],
    definitions: new Map(),
    options: resolved,
    call: () => undefined,
  };
  const transitions: string[] = [];
  const circuits = new Circuits(
    [handler],
    clock,
    (name, from, to) => void transitions.push(`${name}: ${from} -> ${to}`),
  );
  const middleware = new CircuitMiddleware(circuits);
  const newAttempt = () => {
    const event = { seq: 1, id: 'e', type: 'a.b', version: 1, payload: '{}', headers: null };
    const stored = { ...event, orderingKey: null, priority: null, occurredAt: 0, receivedAt: 0 };
    return new Attempt(new DeliveredEvent(stored), handler, {
      id: 1,
      claims: 1,
      handler: 'h',
      priority: 50,
      attempts: 0,
      crashes: 0,
      event: stored,
    });
  };
  /** What the call came to; `before` may do something to the attempt while it runs. */
  const call = async (error?: unknown, before: (attempt: Attempt) => void = () => undefined): Promise<unknown> => {
    const attempt = newAttempt();
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
  return { clock, circuits, middleware, newAttempt, call, transitions };
}

const down = new Error('down');

describe('a circuit', () => {
  it('opens on failures, lets nothing through while open, tries one at a time, closes on successes', async () => {
    const { clock, middleware, newAttempt, call, transitions } = setUp();
    expect([await call(down), await call(down)]).toEqual([down, down]);
    await clock.advance(400);
    const refused = await call();
    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused).toMatchObject({ handler: 'h', retryInMs: 600 });

    await clock.advance(600);
    let end = (): void => undefined;
    const trial = middleware.invoke(newAttempt(), () => new Promise((resolve) => (end = resolve)));
    expect(await call()).toMatchObject({ retryInMs: 1_000 });
    end();
    await trial;
    expect(await call()).toBe('returned');
    expect(await call()).toBe('returned');
    expect(transitions).toEqual(['h: closed -> open', 'h: open -> half-open', 'h: half-open -> closed']);
  });

  it('opens again when a trial fails', async () => {
    const { clock, circuits, call, transitions } = setUp();
    await call(down);
    await call(down);
    await clock.advance(1_000);
    expect(await call(down)).toBe(down);
    expect(circuits.get('h')?.state).toBe('open');
    expect(transitions.at(-1)).toBe('h: half-open -> open');
  });

  it('counts a timeout', async () => {
    const { circuits, call } = setUp();
    for (let n = 0; n < 2; n++) await call(new HandlerTimeoutError('h', 100));
    expect(circuits.get('h')?.state).toBe('open');
  });

  it.each([
    ['a snooze', new SnoozeError(1)],
    ['a PermanentError, wrapped', new Error('outer', { cause: new PermanentError('never') })],
    ['a payload that does not fit', new PayloadValidationError('a.b', [])],
    ['a lost lease', new LeaseLostError('h', '1')],
    ['an abort', new AttemptAbortedError('h', 'shutdown')],
  ])('counts %s neither way: as a trial it gives its place back', async (_what, error) => {
    const { clock, circuits, call } = setUp();
    for (let n = 0; n < 5; n++) expect(await call(error)).toBe(error);
    expect(circuits.get('h')?.state).toBe('closed');
    await call(down);
    await call(down);
    await clock.advance(1_000);
    for (let n = 0; n < 5; n++) expect(await call(error)).toBe(error);
    expect(circuits.get('h')?.state).toBe('half-open');
  });

  it('does not count what a handler throws because it was aborted', async () => {
    const { circuits, call } = setUp();
    for (let n = 0; n < 5; n++) await call(down, (attempt) => attempt.abort(new AttemptAbortedError('h', 'cancelled')));
    expect(circuits.get('h')?.state).toBe('closed');
  });

  it('counts what retryIf lets live, and a retryIf that throws', async () => {
    const refusing = setUp({ retryIf: () => false });
    for (let n = 0; n < 5; n++) await refusing.call(down);
    expect(refusing.circuits.get('h')?.state).toBe('closed');

    const broken = setUp({
      retryIf: () => {
        throw new Error('bug');
      },
    });
    for (let n = 0; n < 2; n++) await broken.call(down);
    expect(broken.circuits.get('h')?.state).toBe('open');
  });

  it('counts an error after the transaction committed as the success that it is', async () => {
    const { circuits, call } = setUp();
    for (let n = 0; n < 5; n++) expect(await call(down, (attempt) => (attempt.committed = true))).toBe(down);
    expect(circuits.get('h')?.state).toBe('closed');
    await call(down);
    expect(circuits.get('h')?.state).toBe('closed');
  });
});

describe('a handler without a circuit', () => {
  it('is always called', async () => {
    const { circuits, call } = setUp({ circuit: false });
    for (let n = 0; n < 20; n++) expect(await call(down)).toBe(down);
    expect(circuits.get('h')).toBeUndefined();
  });
});
