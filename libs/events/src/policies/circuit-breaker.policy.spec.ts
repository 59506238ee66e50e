import { beforeEach, describe, expect, it } from 'vitest';
import type { ResolvedCircuitOptions } from '../discovery/on-event.options.js';
import { CircuitBreaker } from './circuit-breaker.policy.js';

/** Scope: when a circuit opens, lets trials through and closes. Time is a number. */
const OPTIONS: ResolvedCircuitOptions = {
  failureThreshold: 3,
  failureRate: 0.5,
  successThreshold: 2,
  openDurationMs: 500,
  windowMs: 1000,
  halfOpenConcurrency: 2,
};
let time: number;
let log: string[];

beforeEach(() => {
  time = 0;
  log = [];
});

const breaker = (changes: Partial<ResolvedCircuitOptions> = {}) =>
  new CircuitBreaker(
    { ...OPTIONS, ...changes },
    () => time,
    (from, to) => log.push(`${from} -> ${to}`),
  );

function succeed(circuit: CircuitBreaker, times = 1) {
  for (let i = 0; i < times; i++) circuit.succeed(circuit.begin());
}

function fail(circuit: CircuitBreaker, times = 1) {
  for (let i = 0; i < times; i++) circuit.fail(circuit.begin());
}

/** A circuit that has just opened at the present time. */
function opened(changes: Partial<ResolvedCircuitOptions> = {}) {
  const circuit = breaker(changes);
  fail(circuit, 3);
  return circuit;
}

/** A circuit that is half-open at the present time. */
function halfOpen(changes: Partial<ResolvedCircuitOptions> = {}) {
  const circuit = opened(changes);
  time += 500;
  expect(circuit.state).toBe('half-open');
  return circuit;
}

const view = (circuit: CircuitBreaker) => ({
  state: circuit.state,
  epoch: circuit.epoch,
  permits: circuit.permits(10),
  retryInMs: circuit.retryInMs(),
});

describe('a closed circuit', () => {
  it('permits all that is wanted', () => {
    expect(view(breaker())).toEqual({ state: 'closed', epoch: 0, permits: 10, retryInMs: 0 });
  });

  it('opens at failureThreshold failures when they are failureRate of the calls', () => {
    const circuit = breaker();
    succeed(circuit, 3);
    fail(circuit, 2);
    expect(circuit.state).toBe('closed');
    fail(circuit);
    expect(view(circuit)).toEqual({ state: 'open', epoch: 1, permits: 0, retryInMs: 500 });
    expect(log).toEqual(['closed -> open']);
  });

  it('stays closed below the rate, however many fail', () => {
    const circuit = breaker();
    for (let i = 0; i < 100; i++) {
      succeed(circuit, 2);
      fail(circuit);
    }
    expect(view(circuit)).toEqual({ state: 'closed', epoch: 0, permits: 10, retryInMs: 0 });
  });

  it('meets the rate exactly: 7 of 100 is 0.07', () => {
    const circuit = breaker({ failureRate: 0.07, failureThreshold: 7 });
    succeed(circuit, 93);
    fail(circuit, 6);
    expect(circuit.state).toBe('closed');
    fail(circuit);
    expect(circuit.state).toBe('open');
  });

  it('forgets failures that are as old as the window', () => {
    const circuit = breaker();
    fail(circuit, 2);
    time = 1000;
    fail(circuit);
    expect(circuit.state).toBe('closed');
    time = 1999;
    fail(circuit);
    expect(circuit.state).toBe('closed');
    fail(circuit);
    expect(circuit.state).toBe('open');
  });

  it('counts a call when it ends, not when it begins', () => {
    const circuit = breaker();
    const calls = [circuit.begin(), circuit.begin(), circuit.begin()];
    time = 5000;
    calls.forEach((call) => circuit.fail(call));
    expect(circuit.state).toBe('open');
  });

  it('forgotten calls count neither as failure nor as call', () => {
    const circuit = breaker();
    for (let i = 0; i < 100; i++) circuit.forget(circuit.begin());
    fail(circuit, 3);
    expect(circuit.state).toBe('open');
  });

  it('a ticket counts once', () => {
    const circuit = breaker();
    const call = circuit.begin();
    for (let i = 0; i < 10; i++) circuit.fail(call);
    fail(circuit);
    expect(circuit.state).toBe('closed');
    fail(circuit);
    expect(circuit.state).toBe('open');
  });
});

describe('an open circuit', () => {
  it('permits nothing until openDuration has passed, and says how long that is', () => {
    time = 0.3;
    const circuit = opened();
    time = 0.6;
    expect(view(circuit)).toEqual({ state: 'open', epoch: 1, permits: 0, retryInMs: 500 });
    time = 400.4;
    expect(view(circuit)).toEqual({ state: 'open', epoch: 1, permits: 0, retryInMs: 100 });
    time = 500.29;
    expect(view(circuit)).toEqual({ state: 'open', epoch: 1, permits: 0, retryInMs: 1 });
    time = 500.3;
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 2, permits: 2, retryInMs: 0 });
    expect(log).toEqual(['closed -> open', 'open -> half-open']);
  });

  it.each([
    ['state', (circuit: CircuitBreaker) => circuit.state],
    ['epoch', (circuit: CircuitBreaker) => circuit.epoch],
    ['permits', (circuit: CircuitBreaker) => circuit.permits(1)],
    ['begin', (circuit: CircuitBreaker) => circuit.begin()],
    ['retryInMs', (circuit: CircuitBreaker) => circuit.retryInMs()],
  ])('turns half-open when somebody asks for %s', (_, ask) => {
    const circuit = opened();
    time = 10_000;
    ask(circuit);
    expect(log).toEqual(['closed -> open', 'open -> half-open']);
  });

  it('takes no notice of calls begun before it opened, or while it was open', () => {
    const circuit = breaker();
    const before = [circuit.begin(), circuit.begin(), circuit.begin()];
    fail(circuit, 3);
    const meanwhile = [circuit.begin(), circuit.begin()];
    circuit.fail(before[0]);
    circuit.succeed(meanwhile[0]);
    time = 500;
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 2, permits: 2, retryInMs: 0 });
    circuit.fail(before[1]);
    circuit.fail(meanwhile[1]);
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 2, permits: 2, retryInMs: 0 });
    succeed(circuit, 2);
    circuit.fail(before[2]);
    fail(circuit, 2);
    expect(view(circuit)).toEqual({ state: 'closed', epoch: 3, permits: 10, retryInMs: 0 });
  });
});

describe('a half-open circuit', () => {
  it('lets halfOpenConcurrency trials through at a time', () => {
    const circuit = halfOpen();
    expect([0, 1, 2, 3].map((wanted) => circuit.permits(wanted))).toEqual([0, 1, 2, 2]);
    const first = circuit.begin();
    expect(circuit.permits(10)).toBe(1);
    const second = circuit.begin();
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 2, permits: 0, retryInMs: 500 });
    circuit.forget(first);
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 2, permits: 1, retryInMs: 0 });
    circuit.forget(first);
    circuit.succeed(second);
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 2, permits: 2, retryInMs: 0 });
  });

  it('guesses a second at most when all trials are under way', () => {
    const circuit = opened({ openDurationMs: 60_000, halfOpenConcurrency: 1 });
    time += 60_000;
    circuit.begin();
    expect(circuit.retryInMs()).toBe(1000);
  });

  it('permits nothing while more trials run than it would let through', () => {
    const circuit = halfOpen({ halfOpenConcurrency: 1 });
    const trials = [circuit.begin(), circuit.begin()];
    expect(circuit.permits(10)).toBe(0);
    circuit.succeed(trials[0]);
    expect(circuit.permits(10)).toBe(0);
    circuit.succeed(trials[1]);
    expect(circuit.state).toBe('closed');
  });

  it('closes after successThreshold successes, with an empty window', () => {
    const circuit = breaker({ windowMs: 60_000 });
    fail(circuit, 3);
    time = 500;
    succeed(circuit);
    expect(circuit.state).toBe('half-open');
    succeed(circuit);
    expect(view(circuit)).toEqual({ state: 'closed', epoch: 3, permits: 10, retryInMs: 0 });
    fail(circuit, 2);
    expect(circuit.state).toBe('closed');
    fail(circuit);
    expect(circuit.state).toBe('open');
    expect(log).toEqual(['closed -> open', 'open -> half-open', 'half-open -> closed', 'closed -> open']);
  });

  it('takes all trials to have ended when it has reopened', () => {
    const circuit = halfOpen();
    const [first, second] = [circuit.begin(), circuit.begin()];
    circuit.fail(first);
    time += 500;
    expect(circuit.permits(10)).toBe(2);
    circuit.fail(second);
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 4, permits: 2, retryInMs: 0 });
  });

  it('reopens for the whole openDuration after one failure, and counts successes anew', () => {
    const circuit = halfOpen();
    succeed(circuit);
    time += 100;
    fail(circuit);
    expect(view(circuit)).toEqual({ state: 'open', epoch: 3, permits: 0, retryInMs: 500 });
    time += 500;
    succeed(circuit);
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 4, permits: 2, retryInMs: 0 });
  });

  it('neutral trials decide nothing', () => {
    const circuit = halfOpen();
    for (let i = 0; i < 10; i++) circuit.forget(circuit.begin());
    expect(view(circuit)).toEqual({ state: 'half-open', epoch: 2, permits: 2, retryInMs: 0 });
  });
});

it('is in its new state when onTransition is called, and after it has thrown', () => {
  const seen: unknown[] = [];
  const circuit: CircuitBreaker = new CircuitBreaker(
    OPTIONS,
    () => time,
    () => {
      seen.push([circuit.state, circuit.epoch]);
      throw new Error('boom');
    },
  );
  fail(circuit, 2);
  expect(() => fail(circuit)).toThrow('boom');
  expect(seen).toEqual([['open', 1]]);
});
