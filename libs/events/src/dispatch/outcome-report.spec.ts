/** Scope: what is counted, logged and reported of an attempt that has ended; nothing that goes wrong there is thrown. */
import { describe, expect, it } from 'vitest';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { NewerVersionError } from '../errors/newer-version.error.js';
import { NodeLostError } from '../errors/node-lost.error.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import { SnoozeError } from '../errors/snooze.error.js';
import { newAttempt, newHandler } from '../invoke/attempt.fixture.js';
import type { Invocation } from '../invoke/invocation.js';
import { Activity } from '../observability/activity.js';
import type { ErrorReports } from '../observability/error-reports.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { LogFields } from '../observability/log-fields.js';
import { LogStorms } from '../observability/log-storms.js';
import type { AttemptFailure } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { OutcomeReport } from './outcome-report.js';
import type { Outcome } from './outcome.js';

const NOW = 5_000;
const WHO = 'h, event a.b e, delivery 7, attempt 3';

const LABELS = { handler: 'h', type: 'a.b', eventId: 'e', deliveryId: '7', attempt: 3 };

type Line = readonly [level: string, message: string, fields: LogFields, stack?: string];

function setUp(broken = false) {
  const lines: Line[] = [];
  const write =
    (level: string) =>
    (...line: [string, LogFields, string?]) => {
      if (broken) throw new Error('no space left');
      const [message, fields, stack] = line;
      lines.push(stack === undefined ? [level, message, fields] : [level, message, fields, stack]);
    };
  const logger: Partial<EventsLogger> = { debug: write('debug'), warn: write('warn'), error: write('error') };
  const clock = new ManualClock(NOW);
  const activities = new Activity(clock);
  const told: (readonly [error: unknown, invocation: Invocation, final: boolean])[] = [];
  const reports: Pick<ErrorReports, 'report'> = { report: (...report) => void told.push(report) };
  const report = new OutcomeReport({
    clock,
    logger: logger as EventsLogger,
    storms: new LogStorms(clock),
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
  return { report, attempt, lines, told, counts, clock };
}

const ending = (thrown?: unknown) => ({ durationMs: 5, ...(thrown !== undefined && { error: { thrown } }) });
const failure: AttemptFailure = { at: NOW, attempt: 3, name: 'TypeError', message: 'broken', node: 'here' };
const down = new TypeError('broken');
const text = 'a text';
const dead = (reason: string) => ({ fact: 'dead', ...LABELS, durationMs: 5, reason, error: 'TypeError' });

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
    lines: [['error', `${WHO}: error after its transaction had committed`, { ...LABELS, durationMs: 5 }, down.stack]],
    final: true,
  },
  { what: 'a duplicate', outcome: { outcome: 'duplicate', attempts: 2, durationMs: 1 }, counted: { duplicates: 1 } },
  {
    what: 'retried',
    outcome: { outcome: 'retry', availableAt: NOW + 250, failure },
    thrown: down,
    counted: { failed: 1, retried: 1 },
    lines: [
      [
        'warn',
        `${WHO}: TypeError: broken; again in 250 ms`,
        { fact: 'retried', ...LABELS, durationMs: 5, delayMs: 250, error: 'TypeError' },
      ],
    ],
  },
  {
    what: 'retried after a thrown value that is no Error',
    outcome: { outcome: 'retry', availableAt: NOW, failure },
    thrown: text,
    counted: { failed: 1, retried: 1 },
    lines: [
      [
        'warn',
        `${WHO}: TypeError: broken; again in 0 ms`,
        { fact: 'retried', ...LABELS, durationMs: 5, delayMs: 0, error: 'TypeError' },
      ],
    ],
    final: false,
  },
  {
    what: 'dead',
    outcome: { outcome: 'dead', reason: 'rejected', failure },
    thrown: down,
    counted: { failed: 1, dead: 1 },
    lines: [['error', `${WHO}: dead letter (rejected)`, dead('rejected'), down.stack]],
    final: true,
  },
  {
    what: 'dead of a thrown value that is no Error',
    outcome: { outcome: 'dead', reason: 'exhausted', failure },
    thrown: text,
    counted: { failed: 1, dead: 1 },
    lines: [['error', `${WHO}: dead letter (exhausted)`, dead('exhausted'), "'a text'"]],
    final: true,
  },
  {
    what: 'snoozed',
    outcome: { outcome: 'snoozed', availableAt: NOW + 70, rateSlot: null },
    thrown: new SnoozeError(70),
    counted: { snoozed: 1 },
    lines: [
      [
        'debug',
        `${WHO}: waits 70 ms (asked)`,
        { fact: 'snoozed', ...LABELS, durationMs: 5, delayMs: 70, reason: 'asked' },
      ],
    ],
  },
  { what: 'given back', outcome: { outcome: 'released', rateSlot: null }, thrown: down, counted: {} },
  { what: 'cancelled', outcome: { outcome: 'gone' }, thrown: down, counted: {} },
  {
    what: 'lost',
    outcome: { outcome: 'lost' },
    thrown: down,
    counted: {},
    lines: [
      [
        'warn',
        `${WHO}: its lease was lost, the outcome belongs to another node`,
        { fact: 'lost', ...LABELS, durationMs: 5 },
      ],
    ],
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
    const said = () => lines.filter(([level]) => level === 'warn');
    for (const version of [2, 2, 3, 2]) wait(version);
    const line = (version: number): Line => [
      'warn',
      `h: a.b is of version ${version}, but this node knows versions up to 1; such events wait for a node that does (said once)`,
      { fact: 'snoozed', handler: 'h', type: 'a.b', version, reason: 'newer-version' },
    ];
    expect(said()).toEqual([line(2), line(3)]);
    for (let version = 4; version < 3_000; version++) wait(version);
    expect(said()).toHaveLength(1_000);
  });

  it('says why it waits when it was refused', () => {
    const { report, attempt, lines } = setUp();
    attempt.refuse(new RateLimitedError('h', NOW + 70));
    report.ended(attempt, { outcome: 'snoozed', availableAt: NOW + 70, rateSlot: null }, ending(attempt.refusal));
    expect(lines).toEqual([
      ['debug', `${WHO}: waits 70 ms (rate-limited)`, expect.objectContaining({ reason: 'rate-limited' })],
    ]);
  });

  it('is one line of twenty at most in ten seconds, per handler and kind; the others are counted', async () => {
    const { report, attempt, lines, clock } = setUp();
    const retry = (): void => report.ended(attempt, { outcome: 'retry', availableAt: NOW, failure }, ending(down));
    for (let n = 0; n < 1_030; n++) retry();
    report.diedWithNode(attempt);
    expect(lines.map(([level]) => level)).toEqual([...Array<string>(20).fill('warn'), 'error']);
    await clock.advance(10_000);
    retry();
    expect(lines.slice(21)).toEqual([
      [
        'warn',
        'and 1,010 more retries of handler h in the last 10 s',
        { fact: 'retried', handler: 'h', leftOut: 1_010, windowMs: 10_000 },
      ],
      ['warn', expect.stringContaining('TypeError: broken'), expect.anything()],
    ]);
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
    const fields = { fact: 'dead', ...LABELS, reason: 'exhausted', error: 'NodeLostError' };
    expect(lines).toEqual([['error', `${WHO}: dead letter (exhausted): ${message}`, fields]]);
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
    const line = `${WHO}: goes on although its signal was aborted (${why}); it no longer counts`;
    expect(lines).toEqual([['warn', line, { fact: 'leaked', ...LABELS }]]);
  });
});

describe('a promise that a handler has left behind', () => {
  it('is logged and reported, and changes no count', () => {
    const { report, attempt, lines, told, counts } = setUp();
    report.rejectedLate(attempt, down);
    expect(lines).toEqual([['error', `${WHO}: a promise that nobody waited for was rejected`, LABELS, down.stack]]);
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
