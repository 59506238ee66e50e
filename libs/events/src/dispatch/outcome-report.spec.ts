/** Scope: what is counted, logged and reported of an attempt that has ended; nothing that goes wrong there is thrown. */
import type { Logger } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { NewerVersionError } from '../errors/newer-version.error.js';
import { NodeLostError } from '../errors/node-lost.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { newAttempt, newHandler } from '../invoke/attempt.fixture.js';
import type { Invocation } from '../invoke/invocation.js';
import { Activity } from '../observability/activity.js';
import type { ErrorReports } from '../observability/error-reports.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import type { AttemptFailure } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { OutcomeReport } from './outcome-report.js';
import type { Outcome } from './outcome.js';

const NOW = 5_000;
const WHO = 'h, event a.b e, delivery 7, attempt 3';

type Line = readonly [level: string, message: string, stack?: string];

function setUp(broken = false) {
  const lines: Line[] = [];
  const write =
    (level: string) =>
    (...line: [string, string?]) => {
      if (broken) throw new Error('no space left');
      lines.push([level, ...line]);
    };
  const logger = { warn: write('warn'), error: write('error'), log: write('log') } as unknown as Logger;
  const clock = new ManualClock(NOW);
  const activities = new Activity(clock);
  const told: (readonly [error: unknown, invocation: Invocation, final: boolean])[] = [];
  const reports: Pick<ErrorReports, 'report'> = { report: (...report) => void told.push(report) };
  const report = new OutcomeReport({
    clock,
    logger,
    activity: activities,
    reports: reports as ErrorReports,
    lifecycle: new EventLifecycle(),
  });
  const attempt = newAttempt(newHandler(), {
    event: { payload: '{"secret":1}' },
    delivery: { id: 7, attempts: 1, crashes: 1 },
  });
  /** What it has counted for the handler, zeros left out. */
  const counts = () => {
    const { completed, retried, failed, dead, snoozed, duplicates, lost, leaked } = activities.of('h');
    const all = { completed, retried, failed, dead, snoozed, duplicates, lost, leaked };
    return Object.fromEntries(Object.entries(all).filter(([, count]) => count !== 0));
  };
  return { report, attempt, lines, told, counts };
}

const ending = (thrown?: unknown) => ({ durationMs: 5, ...(thrown !== undefined && { error: { thrown } }) });
const failure: AttemptFailure = { at: NOW, attempt: 3, name: 'TypeError', message: 'broken', node: 'here' };
const down = new TypeError('broken');
const text = 'a text';

interface Row {
  readonly what: string;
  readonly outcome: Outcome;
  readonly thrown?: unknown;
  readonly counted: Record<string, number>;
  readonly lines?: Line[];
  /** Whether the reporter is told, and of what: final or not. */
  readonly final?: boolean;
}

const rows: Row[] = [
  { what: 'completed', outcome: { outcome: 'completed', attempts: 3, durationMs: 1 }, counted: { completed: 1 } },
  { what: 'completed by its transaction', outcome: { outcome: 'written' }, counted: { completed: 1 } },
  {
    what: 'completed by its transaction, and an error after it',
    outcome: { outcome: 'written' },
    thrown: down,
    counted: { completed: 1 },
    lines: [['error', `${WHO}: error after its transaction had committed`, down.stack]],
    final: true,
  },
  { what: 'a duplicate', outcome: { outcome: 'duplicate', attempts: 2, durationMs: 1 }, counted: { duplicates: 1 } },
  {
    what: 'retried',
    outcome: { outcome: 'retry', availableAt: NOW + 250, failure },
    thrown: down,
    counted: { failed: 1, retried: 1 },
    lines: [['warn', `${WHO}: TypeError: broken; again in 250 ms`]],
  },
  {
    what: 'retried after a thrown value that is no Error',
    outcome: { outcome: 'retry', availableAt: NOW, failure },
    thrown: text,
    counted: { failed: 1, retried: 1 },
    lines: [['warn', `${WHO}: TypeError: broken; again in 0 ms`]],
    final: false,
  },
  {
    what: 'dead',
    outcome: { outcome: 'dead', reason: 'rejected', failure },
    thrown: down,
    counted: { failed: 1, dead: 1 },
    lines: [['error', `${WHO}: dead letter (rejected)`, down.stack]],
    final: true,
  },
  {
    what: 'dead of a thrown value that is no Error',
    outcome: { outcome: 'dead', reason: 'exhausted', failure },
    thrown: text,
    counted: { failed: 1, dead: 1 },
    lines: [['error', `${WHO}: dead letter (exhausted)`, "'a text'"]],
    final: true,
  },
  {
    what: 'snoozed',
    outcome: { outcome: 'snoozed', availableAt: NOW, rateSlot: null },
    thrown: new RateLimitedError('h', NOW),
    counted: { snoozed: 1 },
  },
  { what: 'given back', outcome: { outcome: 'released', rateSlot: null }, thrown: down, counted: {} },
  { what: 'cancelled', outcome: { outcome: 'gone' }, thrown: down, counted: {} },
  {
    what: 'lost',
    outcome: { outcome: 'lost' },
    thrown: down,
    counted: {},
    lines: [['warn', `${WHO}: its lease was lost, the outcome belongs to another node`]],
  },
];

describe('an attempt that has ended', () => {
  it.each(rows)('is counted, logged and reported: $what', ({ outcome, thrown, counted, lines = [], final }) => {
    const scene = setUp();
    scene.report.ended(scene.attempt, outcome, ending(thrown));
    expect({ counts: scene.counts(), lines: scene.lines, told: scene.told }).toEqual({
      counts: counted,
      lines,
      told: final === undefined ? [] : [[thrown, scene.attempt, final]],
    });
  });

  it('is said to wait for a newer version once per handler, type and version', () => {
    const { report, attempt, lines } = setUp();
    const wait = (version: number) => {
      attempt.refuse(new NewerVersionError('a.b', version, 1, NOW));
      report.ended(attempt, { outcome: 'snoozed', availableAt: NOW }, ending(attempt.refusal));
    };
    for (const version of [2, 2, 3, 2]) wait(version);
    const line = (version: number): Line => [
      'warn',
      `h: a.b is of version ${version}, but this node knows versions up to 1; such events wait for a node that does (said once)`,
    ];
    expect(lines).toEqual([line(2), line(3)]);
    for (let version = 4; version < 3_000; version++) wait(version);
    expect(lines).toHaveLength(1_000);
  });

  it('is counted and reported although the log cannot be written', () => {
    const { report, attempt, told, counts } = setUp(true);
    report.ended(attempt, { outcome: 'dead', reason: 'exhausted', failure }, ending(down));
    expect([counts(), told]).toEqual([{ failed: 1, dead: 1 }, [[down, attempt, true]]]);
  });

  it('with an error that cannot be read is counted, logged and reported all the same', () => {
    const { report, attempt, told, lines, counts } = setUp();
    const trap = () => {
      throw new Error('trap');
    };
    const unreadable = new Proxy(new Error('x'), { getPrototypeOf: trap, get: trap });
    report.ended(attempt, { outcome: 'retry', availableAt: NOW, failure }, ending(unreadable));
    report.ended(attempt, { outcome: 'dead', reason: 'exhausted', failure }, ending(unreadable));
    expect(counts()).toEqual({ failed: 2, retried: 1, dead: 1 });
    expect(told.map(([error, , final]) => [error === unreadable, final])).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(lines.map(([level]) => level)).toEqual(['warn', 'error']);
  });
});

describe('an attempt whose last node has died', () => {
  it('is dead: nothing ran, and the failure is recorded already', () => {
    const { report, attempt, lines, told, counts } = setUp();
    report.diedWithNode(attempt);
    expect(counts()).toEqual({ dead: 1 });
    const message = `of the attempts of h 1 failed and 1 died with their node`;
    expect(lines).toEqual([['error', `${WHO}: dead letter (exhausted): ${message}`]]);
    expect(told).toEqual([[new NodeLostError('h', 1, 1), attempt, true]]);
  });
});

describe('a run that goes on although it was aborted', () => {
  it.each([
    ['returns', () => Promise.resolve()],
    ['throws', () => Promise.reject(down)],
  ])('is counted as leaked until it %s', async (_how, end) => {
    const { report, attempt, lines, counts } = setUp();
    attempt.abort(new AttemptAbortedError('h', 'shutdown'));
    report.leaked(attempt, end());
    expect(counts()).toEqual({ leaked: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(counts()).toEqual({});
    const why = 'the attempt of handler h was aborted: shutdown';
    expect(lines).toEqual([['warn', `${WHO}: goes on although its signal was aborted (${why}); it no longer counts`]]);
  });
});

describe('a promise that a handler has left behind', () => {
  it('is logged and reported, and changes no count', () => {
    const { report, attempt, lines, told, counts } = setUp();
    report.rejectedLate(attempt, down);
    expect(lines).toEqual([['error', `${WHO}: a promise that nobody waited for was rejected`, down.stack]]);
    expect([told, counts()]).toEqual([[[down, attempt, false]], {}]);
  });
});

describe('no line', () => {
  it('has the payload in it', () => {
    const { report, attempt, lines } = setUp();
    for (const { outcome, thrown } of rows) report.ended(attempt, outcome, { durationMs: 5, error: { thrown } });
    report.diedWithNode(attempt);
    report.leaked(attempt, Promise.resolve());
    report.rejectedLate(attempt, down);
    expect(lines.length).toBeGreaterThan(9);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });
});
