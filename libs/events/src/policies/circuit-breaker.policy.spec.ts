import { beforeEach, describe, expect, it } from 'vitest';
import type { ResolvedCircuitOptions } from '../discovery/on-event.options.js';
import { CircuitBreaker, type CircuitState, type CircuitTicket } from './circuit-breaker.policy.js';

/** Scope: what one node's breaker asks for, and what it lets run, for what it knows of the shared circuit. Time is a number. */
const OPTIONS: ResolvedCircuitOptions = {
  failureThreshold: 3,
  failureRate: 0.5,
  successThreshold: 2,
  openDurationMs: 500,
  windowMs: 1000,
  halfOpenConcurrency: 2,
};
const T0 = 1_800_000_000_000;
let monotonic: number;
let wall: number;

beforeEach(() => {
  monotonic = 0;
  wall = T0;
});

const clocks = [() => monotonic, () => wall] as const;
const breaker = (changes: Partial<ResolvedCircuitOptions> = {}, concurrency = 10) =>
  new CircuitBreaker({ ...OPTIONS, ...changes }, concurrency, ...clocks);

function pass(ms: number) {
  monotonic += ms;
  wall += ms;
}

/** The shared circuit has moved on to this state, now, and the node hears of it. */
function move(circuit: CircuitBreaker, ...states: CircuitState[]) {
  for (const state of states) {
    circuit.adopt({ state, epoch: circuit.epoch + 1, openedAt: state === 'open' ? wall : null });
  }
  return circuit;
}

/** What it asks for with each of these results, `+` a success and `-` a failure: nothing `.`, `open` or `count-trial`. */
function asks(circuit: CircuitBreaker, results: string, tickets: CircuitTicket[] = []): string {
  const intents = results.split('').map((result, index) => {
    const ticket = tickets[index] ?? circuit.begin();
    return result === '+' ? circuit.succeed(ticket) : circuit.fail(ticket);
  });
  expect(intents.map((intent) => intent?.epoch)).toEqual(intents.map((intent) => intent && circuit.epoch));
  return intents.map((intent) => intent?.do ?? '.').join('');
}

const begin = (circuit: CircuitBreaker, calls: number) => Array.from({ length: calls }, () => circuit.begin());

const view = (circuit: CircuitBreaker) => ({
  state: circuit.state,
  shared: circuit.sharedState,
  epoch: circuit.epoch,
  limit: circuit.limit,
  flows: circuit.flows,
  retryInMs: circuit.retryInMs(),
  due: circuit.due,
});
const CLOSED = { state: 'closed', shared: 'closed', limit: 10, flows: true, retryInMs: 0, due: undefined };
const OPEN = { state: 'open', shared: 'open', limit: 0, flows: false, retryInMs: 500, due: undefined };
const HALF_OPEN = { state: 'half-open', shared: 'half-open', limit: 2, flows: false, retryInMs: 500, due: undefined };

describe('a closed circuit', () => {
  it('asks to open at failureThreshold failures when they are failureRate of the calls', () => {
    expect(asks(breaker(), '+++---')).toBe('.....open');
    expect(asks(breaker(), '++++---')).toBe('.......');
    expect(asks(breaker(), '---')).toBe('..open');
  });

  it('lets everything run, and asks for nothing below the rate, however many fail', () => {
    const circuit = breaker();
    expect(asks(circuit, '++-'.repeat(100))).toBe('.'.repeat(300));
    expect(view(circuit)).toEqual({ ...CLOSED, epoch: 0 });
  });

  it('meets the rate exactly: 7 of 100 is 0.07', () => {
    const circuit = breaker({ failureRate: 0.07, failureThreshold: 7 });
    expect(asks(circuit, '+'.repeat(93) + '-'.repeat(7))).toBe(`${'.'.repeat(99)}open`);
  });

  it('forgets failures that are as old as the window', () => {
    const circuit = breaker();
    asks(circuit, '--');
    pass(1000);
    expect(asks(circuit, '-')).toBe('.');
    pass(999);
    expect(asks(circuit, '--')).toBe('.open');
  });

  it('looks at its window when a call fails, never when one succeeds', () => {
    const circuit = breaker();
    asks(circuit, '++++');
    pass(500);
    asks(circuit, '---');
    pass(500);
    expect(asks(circuit, '+-')).toBe('.open');
  });

  it('counts a call when it ends, not when it begins; one that is never handed back counts for nothing', () => {
    const circuit = breaker();
    const calls = begin(circuit, 100).slice(97);
    pass(5000);
    expect(asks(circuit, '---', calls)).toBe('..open');
  });

  it('a ticket counts once, whatever it is handed back as', () => {
    const circuit = breaker();
    const [failed, succeeded] = begin(circuit, 2);
    expect(asks(circuit, '--+++-', [failed, failed, succeeded, succeeded, succeeded, succeeded])).toBe('......');
    // 1 failure of 2 calls so far: these make it 3 of 4.
    expect(asks(circuit, '--')).toBe('.open');
  });
});

describe('a circuit that this node wants open', () => {
  const wanting = () => {
    const circuit = breaker();
    asks(circuit, '---');
    return circuit;
  };
  const WANTED = { ...OPEN, shared: 'closed', due: { do: 'open', epoch: 0 } };

  it('is open here at once, and due until the cluster has it open', () => {
    const circuit = wanting();
    expect(view(circuit)).toEqual({ ...WANTED, epoch: 0 });
    expect(circuit.permits(0)).toBe(false);
    pass(60_000);
    circuit.adopt({ state: 'closed', epoch: 0, openedAt: null });
    expect(view(circuit)).toEqual({ ...WANTED, epoch: 0 });
    move(circuit, 'open');
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1 });
  });

  it('asks once by a result; those of other calls count no more', () => {
    const circuit = breaker();
    const calls = begin(circuit, 2);
    expect([asks(circuit, '---'), asks(circuit, '-+', calls), asks(circuit, '-+')]).toEqual(['..open', '..', '..']);
    expect(view(circuit)).toEqual({ ...WANTED, epoch: 0 });
  });

  it('drops its wish when the circuit turns out to have moved on', () => {
    for (const state of ['open', 'half-open', 'closed'] as const) {
      const circuit = wanting();
      expect(circuit.adopt({ state, epoch: 5, openedAt: state === 'open' ? wall : null })).toBe(true);
      expect([circuit.state, circuit.due]).toEqual([state, undefined]);
    }
  });
});

describe('an open circuit', () => {
  it('lets nothing run until openDuration has passed, and says how long that is', () => {
    wall = T0 + 0.5;
    const circuit = move(breaker(), 'open');
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1 });
    pass(400.25);
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1, retryInMs: 100 });
    pass(99.5);
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1, retryInMs: 1 });
    pass(0.25);
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1, retryInMs: 1, due: { do: 'half-open', epoch: 1 } });
    expect([circuit.permits(0), circuit.permits(1)]).toEqual([false, false]);
    move(circuit, 'half-open');
    expect(view(circuit)).toEqual({ ...HALF_OPEN, epoch: 2 });
  });

  it('takes no notice of calls begun before it opened, or while it was open', () => {
    const circuit = breaker();
    const before = begin(circuit, 6);
    move(circuit, 'open');
    const meanwhile = begin(circuit, 4);
    expect(asks(circuit, '-+-+', [...before.splice(0, 2), ...meanwhile.splice(0, 2)])).toBe('....');
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1 });
    move(circuit, 'half-open');
    expect(asks(circuit, '-+-+', [...before.splice(0, 2), ...meanwhile])).toBe('....');
    expect(view(circuit)).toEqual({ ...HALF_OPEN, epoch: 2 });
    move(circuit, 'closed');
    expect(asks(circuit, '--', before)).toBe('..');
    expect(asks(circuit, '---')).toBe('..open');
  });

  it('has less time left for a node that hears of it late', () => {
    const circuit = breaker();
    circuit.adopt({ state: 'open', epoch: 1, openedAt: wall - 400 });
    expect(circuit.retryInMs()).toBe(100);
    circuit.adopt({ state: 'open', epoch: 3, openedAt: wall - 500 });
    expect(circuit.due).toEqual({ do: 'half-open', epoch: 3 });
  });

  it('a clock that jumps back, or is behind, does not keep it open for longer', () => {
    const circuit = move(breaker(), 'open');
    wall -= 3_600_000;
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1 });
    pass(499);
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1, retryInMs: 1 });
    pass(1);
    expect(circuit.due).toEqual({ do: 'half-open', epoch: 1 });
  });

  it('a clock that jumps forward lets it try early', () => {
    const circuit = move(breaker(), 'open');
    wall += 499;
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 1, retryInMs: 1 });
    wall += 1;
    expect(circuit.due).toEqual({ do: 'half-open', epoch: 1 });
  });
});

describe('a half-open circuit', () => {
  it('runs halfOpenConcurrency calls at a time, but no more than the handler does', () => {
    expect([1, 2, 3, 10].map((most) => move(breaker({}, most), 'open', 'half-open').limit)).toEqual([1, 2, 2, 2]);
  });

  it('permits only what was claimed as its trial', () => {
    const permitted = (circuit: CircuitBreaker) => [0, 1, 2, 3, 4].filter((epoch) => circuit.permits(epoch));
    expect(permitted(move(breaker(), 'open'))).toEqual([]);
    expect(permitted(move(breaker(), 'open', 'half-open'))).toEqual([2]);
    expect(permitted(move(breaker(), 'open', 'half-open', 'closed'))).toEqual([0, 1, 2, 3, 4]);
  });

  it('guesses when a trial may be free: openDuration, but a second at most', () => {
    const wait = (openDurationMs: number) => move(breaker({ openDurationMs }), 'open', 'half-open').retryInMs();
    expect([0, 0.5, 999.5, 60_000].map(wait)).toEqual([1, 1, 1000, 1000]);
  });

  it('asks to count each success, and changes nothing by itself', () => {
    const circuit = move(breaker(), 'open', 'half-open');
    expect(asks(circuit, '+++')).toBe('count-trial'.repeat(3));
    expect(view(circuit)).toEqual({ ...HALF_OPEN, epoch: 2 });
  });

  it('asks to open after one failure; other trials count no more', () => {
    const circuit = move(breaker(), 'open', 'half-open');
    const calls = begin(circuit, 3);
    expect(asks(circuit, '+--+', [circuit.begin(), ...calls])).toBe('count-trialopen..');
    expect(view(circuit)).toEqual({ ...OPEN, shared: 'half-open', epoch: 2, due: { do: 'open', epoch: 2 } });
    expect(circuit.permits(2)).toBe(false);
    pass(100);
    move(circuit, 'open');
    expect(view(circuit)).toEqual({ ...OPEN, epoch: 3 });
  });
});

describe('a circuit that has closed again', () => {
  const closedAgain = (concurrency = 4, halfOpenConcurrency = 2) =>
    move(breaker({ halfOpenConcurrency }, concurrency), 'open', 'half-open', 'closed');

  it('has an empty window', () => {
    const circuit = breaker({ windowMs: 60_000 });
    asks(circuit, '--');
    move(circuit, 'open', 'half-open', 'closed');
    expect(asks(circuit, '---')).toBe('..open');
  });

  it('runs halfOpenConcurrency calls at once, and one more with each success, until its backlog flows', () => {
    const circuit = closedAgain();
    const seen = ['', '+', '-', '+', '+'].map((result) => {
      asks(circuit, result);
      return `${circuit.limit} ${circuit.flows ? 'flows' : 'widens'}`;
    });
    expect(seen).toEqual(['2 widens', '3 widens', '3 widens', '4 flows', '4 flows']);
  });

  it('flows at once when as many trials ran as the handler may run', () => {
    expect([closedAgain(2, 2).flows, closedAgain(2, 5).flows, closedAgain(3, 2).flows]).toEqual([true, true, false]);
    expect(closedAgain(2, 5).limit).toBe(2);
  });

  it('flows at once on a node that has just started', () => {
    expect(view(move(breaker(), 'closed'))).toEqual({ ...CLOSED, epoch: 1 });
  });

  it('widens as slowly when the node has missed an outage while it wanted one, or was widening', () => {
    const wanting = breaker();
    asks(wanting, '---');
    const widening = move(breaker(), 'open', 'half-open', 'closed');
    asks(widening, '+++');
    for (const circuit of [wanting, widening]) {
      circuit.adopt({ state: 'closed', epoch: 9, openedAt: null });
      expect(view(circuit)).toEqual({ ...CLOSED, epoch: 9, limit: 2, flows: false });
    }
  });
});

it('takes over newer epochs only, in whatever order it hears of them', () => {
  const circuit = breaker();
  const hear = (state: CircuitState, epoch: number) => {
    const isNew = circuit.adopt({ state, epoch, openedAt: state === 'open' ? wall : null });
    return [isNew, circuit.state, circuit.epoch].join(' ');
  };
  expect([hear('open', 0), hear('half-open', 2), hear('open', 1)]).toEqual([
    'false closed 0',
    'true half-open 2',
    'false half-open 2',
  ]);
  expect([hear('open', 2), hear('open', 3)]).toEqual(['false half-open 2', 'true open 3']);
});
