/** Scope: one node's view of the circuits that the cluster shares, two nodes on one store. */
import { describe, expect, it, vi } from 'vitest';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { MemoryDatabase } from '../store/memory/memory-database.js';
import { MemoryStore } from '../store/memory/memory-store.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newHandler } from './attempt.fixture.js';
import { Circuits } from './circuits.js';

const circuit = {
  failureThreshold: 1,
  failureRate: 0.5,
  successThreshold: 2,
  openDurationMs: 1_000,
  windowMs: 60_000,
  halfOpenConcurrency: 1,
};

async function setUp() {
  const clock = new ManualClock();
  const database = new MemoryDatabase();
  const handlers = [newHandler({ options: { circuit } }), newHandler({ name: 'free' })];
  const registrations = ['h', 'free'].map((name) => ({
    name,
    priority: 50,
    ordered: false,
    onDeadLetter: 'block' as const,
    patterns: ['a.b'],
  }));
  const newNode = async (label: string) => {
    const store = new MemoryStore(clock, database);
    const node = await store.registerNode({ label, host: label, pid: 1 }, clock.now());
    await store.registerHandlers(node, registrations, clock.now());
    const changes: string[] = [];
    const lines: string[] = [];
    const write = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
    const logger = { log: write('log'), warn: write('warn'), error: write('error') };
    const lifecycle = new EventLifecycle();
    const onChange = (handler: string, to: string) => changes.push(`${handler} ${to}`);
    const onMoved = (handler: string, to: string) => changes.push(`${handler} ${to}, moved here`);
    const circuits = new Circuits(handlers, { store, clock, logger, lifecycle, onChange, onMoved });
    /** A call of the handler `h` that fails; what that asks for is carried out. */
    const fail = async () => {
      const breaker = circuits.get('h')!;
      const intent = breaker.fail(breaker.begin());
      if (intent) await circuits.carryOut('h', intent);
    };
    const succeed = async () => {
      const breaker = circuits.get('h')!;
      const intent = breaker.succeed(breaker.begin());
      if (intent) await circuits.carryOut('h', intent);
    };
    const learn = async () => circuits.adopt(await store.handlerStates());
    const state = () => circuits.get('h')!.state;
    return { store, circuits, fail, succeed, learn, state, changes, lines };
  };
  return { clock, one: await newNode('one'), two: await newNode('two') };
}

describe('a circuit that this node opens', () => {
  it('is open here at once, and elsewhere as soon as that node looks', async () => {
    const { one, two } = await setUp();
    await one.fail();
    expect([one.state(), two.state()]).toEqual(['open', 'closed']);
    await two.learn();
    await two.learn();
    expect(two.state()).toBe('open');
    expect([one.changes, two.changes]).toEqual([['h open', 'h open, moved here'], ['h open']]);
    expect([one.lines, two.lines]).toEqual([
      ['warn circuit of h: closed -> open (epoch 1)'],
      ['warn circuit of h: closed -> open (epoch 1, by another node)'],
    ]);
  });

  it('that another has opened meanwhile was opened once: the second learns of it', async () => {
    const { one, two } = await setUp();
    await one.fail();
    await two.fail();
    expect([one.changes, two.changes]).toEqual([['h open', 'h open, moved here'], ['h open']]);
    expect(two.circuits.get('h')!.epoch).toBe(1);
  });

  it('is told of by the node that opened it, although a look at all circuits was answered first', async () => {
    const { one } = await setUp();
    const changeCircuit = one.store.changeCircuit.bind(one.store);
    vi.spyOn(one.store, 'changeCircuit').mockImplementation(async (...args) => {
      const change = await changeCircuit(...args);
      await one.learn();
      return change;
    });
    await one.fail();
    expect(one.changes).toEqual(['h open', 'h open, moved here']);
    expect(one.lines).toEqual(['warn circuit of h: closed -> open (epoch 1)']);
  });

  it('is open here although the store fails, which is said once; it is due until it is shared', async () => {
    const { one } = await setUp();
    const change = vi.spyOn(one.store, 'changeCircuit').mockRejectedValue(new Error('down'));
    await one.fail();
    for (let n = 0; n < 3; n++) await one.circuits.carryOutDue();
    expect([one.state(), one.changes, change.mock.calls.length]).toEqual(['open', [], 4]);
    change.mockRestore();
    await one.circuits.carryOutDue();
    await one.circuits.carryOutDue();
    expect(one.changes).toEqual(['h open', 'h open, moved here']);
    expect(one.lines).toEqual([
      'error could not share the circuit of h, will try again',
      'log circuits are shared again',
      'warn circuit of h: closed -> open (epoch 1)',
    ]);
  });
});

describe('an open circuit', () => {
  it('may try when its time has come, without a call, and only one node moves it on', async () => {
    const { clock, one, two } = await setUp();
    await one.fail();
    await two.learn();
    await clock.advance(999);
    await Promise.all([one.circuits.carryOutDue(), two.circuits.carryOutDue()]);
    expect([one.state(), two.state()]).toEqual(['open', 'open']);
    await clock.advance(1);
    await Promise.all([one.circuits.carryOutDue(), two.circuits.carryOutDue()]);
    expect([one.state(), two.state()]).toEqual(['half-open', 'half-open']);
    expect([one.changes.at(-1), two.changes.at(-1)]).toEqual(['h half-open, moved here', 'h half-open']);
  });

  it('closes by trials of several nodes together', async () => {
    const { clock, one, two } = await setUp();
    await one.fail();
    await two.learn();
    await clock.advance(1_000);
    await one.circuits.carryOutDue();
    await two.learn();
    await one.succeed();
    expect(one.state()).toBe('half-open');
    await two.succeed();
    expect(two.state()).toBe('closed');
    await one.learn();
    const here = ['h open', 'h open, moved here', 'h half-open', 'h half-open, moved here'];
    expect(one.changes).toEqual([...here, 'h closed']);
  });
});

describe('what the cluster knows', () => {
  it('of handlers without a circuit, or that are not here, is passed over', async () => {
    const { one } = await setUp();
    const open = { state: 'open' as const, epoch: 7, openedAt: 0, successes: 0 };
    one.circuits.adopt(['free', 'elsewhere'].map((name) => ({ name, paused: false, ordered: false, circuit: open })));
    expect([one.changes, one.circuits.get('free')]).toEqual([[], undefined]);
  });

  it('of a handler that is gone from the store changes nothing', async () => {
    const { one } = await setUp();
    vi.spyOn(one.store, 'changeCircuit').mockResolvedValue(null);
    await one.fail();
    expect([one.state(), one.changes]).toEqual(['open', []]);
  });
});
