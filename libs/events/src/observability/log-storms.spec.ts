/** Scope: which lines of a storm are written, and how the others are told; pure, on a clock that stands still. */
import { beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import type { LogFields } from './log-fields.js';
import { LogStorms } from './log-storms.js';

let clock: ManualClock;
let storms: LogStorms;
let lines: [level: string, message: string, fields: LogFields][];

beforeEach(() => {
  clock = new ManualClock();
  storms = new LogStorms(clock);
  lines = [];
});

const write =
  (level: string) =>
  (message: string, fields: LogFields = {}) =>
    void lines.push([level, message, fields]);
const logger = { debug: write('debug'), warn: write('warn'), error: write('error') };

/** Writes so many lines of a kind; answers how many were not only counted. */
function storm(count: number, kind = 'retries of handler h', level: 'debug' | 'warn' | 'error' = 'warn'): number {
  let written = 0;
  for (let n = 1; n <= count; n++) {
    const line = { level, kind, message: () => `${kind} ${n}`, common: { about: kind }, fields: { about: kind, n } };
    if (storms.write(logger, line)) written++;
  }
  return written;
}

const messages = () => lines.map(([, message]) => message);
const summaries = () => messages().filter((message) => message.startsWith('and '));

it('writes the first twenty lines of a kind, with their fields, and counts the others', () => {
  expect(storm(10_000)).toBe(20);
  expect(messages()).toEqual(Array.from({ length: 20 }, (_, n) => `retries of handler h ${n + 1}`));
  expect(lines[19]).toEqual(['warn', 'retries of handler h 20', { about: 'retries of handler h', n: 20 }]);
});

it('makes no message that it does not write', () => {
  storm(20);
  const message = () => {
    throw new Error('was made');
  };
  const line = { level: 'warn', kind: 'retries of handler h', message, common: {}, fields: {} } as const;
  expect(storms.write(logger, line)).toBe(false);
});

describe('what was left out', () => {
  it('is told in one line of the same level once ten seconds have passed, with the next line of any kind', async () => {
    storm(4_332, 'dead letters of handler x', 'error');
    await clock.advance(9_999);
    storm(1, 'another', 'debug');
    expect(summaries()).toEqual([]);
    await clock.advance(1);
    storm(1, 'another', 'debug');
    expect(lines.slice(21)).toEqual([
      [
        'error',
        'and 4,312 more dead letters of handler x in the last 10 s',
        { about: 'dead letters of handler x', leftOut: 4_312, windowMs: 10_000 },
      ],
      ['debug', 'another 1', expect.anything()],
    ]);
  });

  it('is told at a sweep when nothing more comes, with how long ago it began', async () => {
    storm(21);
    storms.sweep();
    expect(summaries()).toEqual([]);
    await clock.advance(14_600);
    for (let n = 0; n < 2; n++) storms.sweep();
    expect(summaries()).toEqual(['and 1 more retries of handler h in the last 15 s']);
  });

  it('is told at the end, however short ago it was', async () => {
    storm(30);
    await clock.advance(2_000);
    storms.close();
    storms.close();
    expect(summaries()).toEqual(['and 10 more retries of handler h in the last 2 s']);
  });

  it('is nothing when there was room: nothing is said', async () => {
    storm(20);
    await clock.advance(10_000);
    storms.sweep();
    storms.close();
    expect(lines).toHaveLength(20);
  });
});

it('gives a kind that goes on another twenty lines every ten seconds', async () => {
  for (let second = 0; second < 60; second++) {
    storm(1_000);
    await clock.advance(1_000);
  }
  storms.close();
  expect(lines).toHaveLength(6 * 21);
  const told = lines.reduce((sum, [, , { leftOut }]) => sum + Number(leftOut ?? 1), 0);
  expect(told).toBe(60_000);
});

it('does not let one kind silence another', () => {
  storm(1_000, 'retries of handler a');
  expect([storm(20, 'retries of handler b'), storm(20, 'dead letters of handler a')]).toEqual([20, 20]);
});

it('tells a thousand kinds apart; all others are one, so that memory stays bounded', async () => {
  for (let n = 0; n < 3_000; n++) storm(1, `kind ${n}`);
  expect(lines).toHaveLength(1_020);
  await clock.advance(10_000);
  storms.sweep();
  expect(lines.slice(1_020)).toEqual([
    ['warn', 'and 1,980 more lines of other kinds in the last 10 s', { leftOut: 1_980, windowMs: 10_000 }],
  ]);
  // Forgotten: there is room again.
  expect(storm(1, 'kind 2999')).toBe(1);
});

it('needs no timer', async () => {
  storm(1_000);
  expect(clock.nextTimerInMs).toBeUndefined();
});
