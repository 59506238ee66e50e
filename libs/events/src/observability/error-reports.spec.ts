/** Scope: what the application's error reporter is told, and that nothing that goes wrong there reaches anybody. */
import { Logger, Scope } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { newAttempt, newHandler } from '../invoke/attempt.fixture.js';
import { ManualClock } from '../testing/manual-clock.js';
import type { ErrorInfo, ErrorReporter } from './error-reporter.js';
import { ErrorReports } from './error-reports.js';
import { LogStorms } from './log-storms.js';

const logged = vi.fn();

beforeEach(() => {
  logged.mockReset();
  vi.spyOn(Logger.prototype, 'error').mockImplementation(logged);
  return () => void vi.restoreAllMocks();
});

type Report = ErrorReporter['report'];

/** Of an application whose reporter does this, or that has none. */
function setUp(report?: Report, modules?: ModuleRef) {
  const clock = new ManualClock();
  class Reporter implements ErrorReporter {
    report(error: unknown, info: ErrorInfo): void | Promise<void> {
      return report?.(error, info);
    }
  }
  const reporter = new Reporter();
  const shared = { introspect: () => ({}), get: () => reporter } as unknown as ModuleRef;
  const reports = new ErrorReports(
    { errorReporter: report && Reporter },
    clock,
    new LogStorms(clock),
    modules ?? shared,
  );
  reports.prepare();
  const attempt = newAttempt(newHandler(), { delivery: { attempts: 2 } });
  return { clock, reports, attempt };
}

const down = new Error('down');
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the error reporter', () => {
  it('is told the error, and where it came from', async () => {
    const report = vi.fn<Report>();
    const { reports, attempt } = setUp(report);
    reports.report(down, attempt, true);
    await turn();
    const info = { stack: down.stack, event: attempt.event, handler: 'h', attempt: 3, final: true };
    expect(report.mock.calls).toEqual([[down, info]]);
  });

  it('gets the place where a thrown value that is no Error was caught, and no stack where there is none', async () => {
    const report = vi.fn<Report>();
    const { reports, attempt } = setUp(report);
    reports.report('a text', attempt, false);
    reports.report(Object.assign(new Error('bare'), { stack: undefined }), attempt, false);
    await turn();
    const [[thrown, info], [, bare]] = report.mock.calls;
    expect([thrown, info.final]).toEqual(['a text', false]);
    expect(info.stack).toContain('a thrown value that is no Error');
    expect(bare).not.toHaveProperty('stack');
  });

  it('is told an error that cannot be read, too', async () => {
    const report = vi.fn<Report>();
    const { reports, attempt } = setUp(report);
    const trap = () => {
      throw new Error('trap');
    };
    const unreadable = new Proxy(new Error('x'), { get: trap, getPrototypeOf: trap });
    reports.report(unreadable, attempt, true);
    await turn();
    expect(report.mock.calls.map(([thrown, { final }]) => [thrown === unreadable, final])).toEqual([[true, true]]);
    expect(logged).not.toHaveBeenCalled();
  });

  it('is not needed', async () => {
    const { reports, attempt } = setUp();
    reports.report(down, attempt, true);
    await reports.idle(0);
    expect(logged).not.toHaveBeenCalled();
  });

  it('holds nobody up: it is called when what told it is through', async () => {
    const report = vi.fn<Report>();
    const { reports, attempt } = setUp(report);
    reports.report(down, attempt, true);
    expect(report).not.toHaveBeenCalled();
    await turn();
    expect(report).toHaveBeenCalledTimes(1);
  });
});

const ABOUT = { handler: 'h', type: 'a.b', eventId: 'e', attempt: 3 };

describe('an error reporter that fails', () => {
  const bug = new Error('bug');
  const trap = () => {
    throw new Error('trap');
  };

  it.each<[string, Report, unknown]>([
    [
      'throws',
      () => {
        throw bug;
      },
      bug.stack,
    ],
    ['rejects', () => Promise.reject(bug), bug.stack],
    ['rejects with no Error', () => Promise.reject('a text'), 'a text'],
    [
      'rejects with what cannot be read',
      () => Promise.reject(new Proxy({}, { get: trap, getPrototypeOf: trap })),
      'with an error that cannot be read',
    ],
  ])('because it %s is logged, and changes nothing', async (_how, report, shown) => {
    const { reports, attempt } = setUp(report);
    reports.report(down, attempt, true);
    await reports.idle(1_000);
    expect(logged.mock.calls).toEqual([['the error reporter failed', shown, ABOUT]]);
  });

  it('cannot be made for the attempt is logged just so', async () => {
    const introspect = () => ({ scope: Scope.REQUEST });
    const resolve = () => Promise.reject(bug);
    const modules = { introspect, resolve, registerRequestByContextId: () => undefined } as unknown as ModuleRef;
    const { reports, attempt } = setUp(vi.fn(), modules);
    reports.report(down, attempt, true);
    await reports.idle(1_000);
    expect(logged.mock.calls).toEqual([['the error reporter failed', bug.stack, ABOUT]]);
  });
});

describe('reports under way', () => {
  it('are a thousand at most: what comes then is left out', async () => {
    const ends: (() => void)[] = [];
    const report = vi.fn<Report>(() => new Promise((resolve) => ends.push(resolve)));
    const { reports, attempt } = setUp(report);
    for (let n = 0; n < 1_001; n++) reports.report(n, attempt, true);
    await turn();
    expect(report).toHaveBeenCalledTimes(1_000);
    expect(logged.mock.calls).toEqual([['1000 reports are still under way, this one is left out', undefined, ABOUT]]);
    ends[0]();
    await turn();
    reports.report('room again', attempt, true);
    await turn();
    expect(report).toHaveBeenCalledTimes(1_001);
  });

  it('are waited for, but not for ever', async () => {
    let end = (): void => undefined;
    const { clock, reports, attempt } = setUp(() => new Promise<void>((resolve) => (end = resolve)));
    reports.report(down, attempt, true);
    await turn();
    let idle = false;
    const waiting = reports.idle(2_000).then(() => (idle = true));
    await clock.advance(1_999);
    expect(idle).toBe(false);
    await clock.advance(1);
    await waiting;

    const again = reports.idle(2_000);
    end();
    await again;
    expect(clock.nextTimerInMs).toBeUndefined();
    await reports.idle(2_000);
  });
});
