import { describe, expect, it, vi } from 'vitest';
import { OutcomeRefusedError } from '../errors/outcome-refused.error.js';
import type { EventsLogger } from '../observability/events-logger.js';
import { LogStorms } from '../observability/log-storms.js';
import type { EventStore } from '../store/event-store.js';
import type { Settlement } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { Settler } from './settler.js';

interface Write {
  readonly node: number;
  readonly ids: number[];
  readonly answer: (held?: (id: number) => boolean) => void;
  readonly fail: () => void;
}

function setUp(batchSize = 10) {
  const clock = new ManualClock();
  const writes: Write[] = [];
  const settled: [number, boolean][] = [];
  const logger = { log: vi.fn(), error: vi.fn() };
  const settle = (node: number, settlements: readonly Settlement[]) =>
    new Promise<boolean[]>((resolve, reject) => {
      const ids = settlements.map(({ id }) => id);
      const answer = (held: (id: number) => boolean = () => true) => resolve(ids.map(held));
      writes.push({ node, ids, answer, fail: () => reject(new Error('database is away')) });
    });
  const settler = new Settler({
    store: { settle } as Partial<EventStore> as EventStore,
    clock,
    logger: logger as Partial<EventsLogger> as EventsLogger,
    storms: new LogStorms(clock),
    batchSize,
    nodeId: 'here',
    onSettled: ({ id }, written) => settled.push([id, written]),
  });
  const push = (ids: number[], node = 1) => {
    for (const id of ids) settler.push(node, { id, claims: 1, seq: id, handler: 'h', outcome: 'released' });
  };
  return { clock, writes, settled, logger, settler, push, written: () => writes.map(({ ids }) => ids) };
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('what ends together', () => {
  it('is written together, and each outcome is told once', async () => {
    const { clock, writes, settled, settler, push } = setUp();
    push([1, 2]);
    await Promise.resolve();
    push([3]);
    expect(settler.pending).toBe(3);
    await clock.advance(0);
    expect(writes.map(({ node, ids }) => ({ node, ids }))).toEqual([{ node: 1, ids: [1, 2, 3] }]);
    writes[0].answer((id) => id !== 2);
    await clock.advance(0);
    expect(settled).toEqual([
      [1, true],
      [2, false],
      [3, true],
    ]);
    expect(settler.pending).toBe(0);
  });

  it('is written in batches, at most two at a time, the rest as soon as one is through', async () => {
    const { clock, writes, written, push, settler } = setUp(2);
    push(range(1, 7));
    await clock.advance(0);
    expect(written()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    push([8]);
    await clock.advance(0);
    expect(writes).toHaveLength(2);
    expect(settler.pending).toBe(8);
    writes[1].answer();
    await clock.advance(0);
    expect(written()).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    writes[0].answer();
    writes[2].answer();
    await clock.advance(0);
    expect(written().slice(3)).toEqual([[7, 8]]);
  });

  it('is not mixed with what was leased under another node id', async () => {
    const { clock, writes, push } = setUp();
    push([1, 2], 1);
    push([3], 2);
    await clock.advance(0);
    expect(writes.map(({ node, ids }) => ({ node, ids }))).toEqual([
      { node: 1, ids: [1, 2] },
      { node: 2, ids: [3] },
    ]);
  });
});

describe('while the database is away', () => {
  it('nothing more is to be claimed once more than four batches wait', async () => {
    const { clock, writes, settler, push } = setUp(2);
    push(range(1, 8));
    await clock.advance(0);
    expect(settler.isFull).toBe(false);
    push([9]);
    expect(settler.isFull).toBe(true);
    writes[0].answer();
    await clock.advance(0);
    expect(settler.isFull).toBe(false);
  });

  it('a batch is kept and tried again after a growing wait, until it is written', async () => {
    const { clock, writes, settled, settler, push, logger } = setUp();
    push([1, 2]);
    const triedAt: number[] = [];
    for (let failures = 0; failures < 9; failures++) {
      await clock.advance(failures === 0 ? 0 : clock.nextTimerInMs!);
      expect(writes).toHaveLength(failures + 1);
      triedAt.push(clock.monotonic());
      writes[failures].fail();
      await clock.advance(0);
    }
    expect(triedAt).toEqual([0, 50, 150, 350, 750, 1_550, 3_150, 6_350, 11_350]);
    expect(settled).toEqual([]);
    expect(settler.pending).toBe(2);
    await clock.advance(5_000);
    writes[9].answer();
    await clock.advance(0);
    expect(writes[9].ids).toEqual([1, 2]);
    expect(settled).toEqual([
      [1, true],
      [2, true],
    ]);
    expect(logger.error).toHaveBeenCalledTimes(1);
    expect(clock.nextTimerInMs).toBeUndefined();
  });

  it('closing gives up: no write follows, no timer is left', async () => {
    const { clock, writes, settler, push } = setUp();
    push([1]);
    await clock.advance(0);
    writes[0].fail();
    await clock.advance(0);
    settler.close();
    push([2]);
    await clock.advance(60_000);
    expect(writes).toHaveLength(1);
    expect(clock.nextTimerInMs).toBeUndefined();
  });
});

describe('an outcome that the database refuses for its data', () => {
  /** Refuses batches with one of these ids; with `buried` even their dead letters. */
  function setUpRefusing(refused: number[], buried = false) {
    const clock = new ManualClock();
    const tried: number[][] = [];
    const settled: [number, Settlement['outcome'], boolean][] = [];
    const last: Settlement[] = [];
    const logger = { log: vi.fn(), error: vi.fn() };
    const settle = async (_node: number, settlements: readonly Settlement[]) => {
      tried.push(settlements.map(({ id }) => id));
      const refuses = ({ id, outcome }: Settlement) => refused.includes(id) && (buried || outcome !== 'dead');
      if (settlements.some(refuses)) throw new OutcomeRefusedError({ cause: new Error('out of range') });
      last.push(...settlements);
      return settlements.map(() => true);
    };
    const settler = new Settler({
      store: { settle } as Partial<EventStore> as EventStore,
      clock,
      logger: logger as Partial<EventsLogger> as EventsLogger,
      storms: new LogStorms(clock),
      batchSize: 8,
      nodeId: 'here',
      onSettled: ({ id, outcome }, written) => settled.push([id, outcome, written]),
    });
    for (const id of range(1, 8)) {
      settler.push(1, { id, claims: 2, seq: id, handler: 'h', outcome: 'completed', attempts: 3, durationMs: 1 });
    }
    return { clock, tried, settled, last, logger, settler };
  }

  it('is found by halves, and its delivery becomes a dead letter that says so; its neighbours do not notice', async () => {
    const { clock, tried, settled, last, logger, settler } = setUpRefusing([3]);
    await clock.advance(0);
    await settler.idle();
    expect(tried).toEqual([range(1, 8), range(1, 4), [1, 2], [3, 4], [3], [3], [4], range(5, 8)]);
    expect(settled).toEqual(range(1, 8).map((id) => [id, id === 3 ? 'dead' : 'completed', true]));
    expect(last.find(({ id }) => id === 3)).toEqual({
      id: 3,
      claims: 2,
      seq: 3,
      handler: 'h',
      outcome: 'dead',
      reason: 'rejected',
      failure: {
        at: clock.now(),
        attempt: 3,
        name: 'OutcomeRefusedError',
        message: "the database refused the outcome 'completed' of this attempt",
        node: 'here',
      },
    });
    expect(logger.error).toHaveBeenCalledTimes(1);
    expect(logger.error.mock.calls[0]).toEqual([
      "h, delivery 3: the database refuses its outcome 'completed': it becomes a dead letter",
      { handler: 'h', deliveryId: '3', outcome: 'completed' },
      expect.stringContaining('out of range'),
    ]);
  });

  it('is given up when not even its dead letter is taken', async () => {
    const { clock, settled, settler } = setUpRefusing([1, 8], true);
    await clock.advance(0);
    await settler.idle();
    expect(settled.filter(([, , written]) => !written)).toEqual([
      [1, 'dead', false],
      [8, 'dead', false],
    ]);
    expect(settled).toHaveLength(8);
    expect(settler.pending).toBe(0);
    expect(clock.nextTimerInMs).toBeUndefined();
  });
});

describe('idle', () => {
  it('is at once when nothing waits', async () => {
    await setUp().settler.idle();
  });

  it('waits for what is queued, in flight and pushed meanwhile', async () => {
    const { clock, writes, settler, push } = setUp(1);
    push([1, 2, 3]);
    let idle = false;
    const waiting = settler.idle().then(() => (idle = true));
    await clock.advance(0);
    writes[0].answer();
    push([4]);
    await clock.advance(0);
    writes[1].answer();
    writes[2].answer();
    await clock.advance(0);
    expect(idle).toBe(false);
    writes[3].answer();
    await waiting;
    expect(writes).toHaveLength(4);
  });
});
