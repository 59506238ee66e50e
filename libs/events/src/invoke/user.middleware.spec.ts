/** Scope: the application's middleware as links of the chain, and what keeps it from holding up an attempt for ever. */
import { Injectable } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import type { ProvidedClass } from '../discovery/provided-class.js';
import { AttemptAbortedError } from '../errors/attempt-aborted.error.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import { compose } from './compose.js';
import { Deadlines } from './deadlines.js';
import type { Invocation } from './invocation.js';
import type { EventMiddleware } from './middleware.js';
import { userLinks } from './user.middleware.js';

type Work = EventMiddleware['invoke'];

/** A middleware class that does this; its one instance is provided at once, or in a while. */
function provided(invoke: Work, later = false): ProvidedClass<EventMiddleware> {
  @Injectable()
  class Middleware implements EventMiddleware {
    invoke(invocation: Invocation, next: () => Promise<void>): Promise<void> {
      return invoke(invocation, next);
    }
  }
  const instance = new Middleware();
  return { type: Middleware, get: () => (later ? Promise.resolve(instance) : instance) };
}

function setUp(...classes: ProvidedClass<EventMiddleware>[]) {
  const clock = new ManualClock();
  const links = userLinks(classes, new Deadlines(clock));
  const attempt = newAttempt(newHandler({ options: { timeoutMs: 100 } }));
  const handler = vi.fn(async () => {});
  /** Runs the chain; `outcome` is what it has come to so far. */
  const run = () => {
    const seen = { outcome: undefined as unknown };
    compose(
      links,
      handler,
    )(attempt).then(
      () => (seen.outcome = 'returned'),
      (error: unknown) => (seen.outcome = error),
    );
    return seen;
  };
  return { clock, links, attempt, handler, run };
}

const noted = (name: string, seen: string[], later = false) =>
  provided(async (_invocation, next) => {
    seen.push(`> ${name}`);
    await next();
    seen.push(`< ${name}`);
  }, later);

describe('the application’s middleware', () => {
  it('is no link where there is none', () => {
    expect(setUp().links).toEqual([]);
  });

  it('runs around the rest in the order given, also if an instance has to be made first', async () => {
    const seen: string[] = [];
    const { clock, handler, run, links } = setUp(noted('one', seen, true), noted('two', seen));
    handler.mockImplementation(async () => void seen.push('rest'));
    const chain = run();
    await clock.advance(0);
    expect(chain.outcome).toBe('returned');
    expect(seen).toEqual(['> one', '> two', 'rest', '< two', '< one']);
    expect(links.map(({ name }) => name)).toEqual(['guard', 'Middleware', 'Middleware']);
  });

  it('gets the attempt as its invocation', async () => {
    const given: Invocation[] = [];
    const { clock, attempt, run } = setUp(provided(async (invocation) => void given.push(invocation)));
    run();
    await clock.advance(0);
    expect(given).toEqual([attempt]);
  });

  it('may leave the rest out, and may run it again', async () => {
    const skips = setUp(provided(async () => {}));
    const twice = setUp(
      provided(async (_invocation, next) => {
        await next();
        await next();
      }),
    );
    const outcomes = [skips.run(), twice.run()];
    await Promise.all([skips.clock.advance(0), twice.clock.advance(0)]);
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['returned', 'returned']);
    expect([skips.handler.mock.calls.length, twice.handler.mock.calls.length]).toEqual([0, 2]);
  });

  it('ends the attempt with what it throws, at once or later, and swallows what it likes', async () => {
    const [error, down] = [new Error('bug'), new Error('down')];
    const scenes = [
      setUp(
        provided(() => {
          throw error;
        }),
      ),
      setUp(provided(() => Promise.reject(error))),
      setUp(provided((_invocation, next) => next())),
      setUp(provided((_invocation, next) => next().catch(() => {}))),
      setUp({ ...provided(async () => {}), get: () => Promise.reject(error) }),
    ];
    for (const { handler } of scenes) handler.mockRejectedValue(down);
    const seen = scenes.map(({ run }) => run());
    await Promise.all(scenes.map(({ clock }) => clock.advance(0)));
    expect(seen.map(({ outcome }) => outcome)).toEqual([error, error, down, 'returned', error]);
  });
});

describe('a middleware that hangs', () => {
  it.each([
    ['before it calls the rest', provided(() => new Promise(() => {}))],
    [
      'after the rest has ended',
      provided(async (_invocation, next) => {
        await next();
        await new Promise(() => {});
      }),
    ],
    ['while its instance is made', { ...provided(async () => {}), get: () => new Promise<EventMiddleware>(() => {}) }],
  ])('%s ends after twice the timeout of its handler, and the signal says why', async (_when, middleware) => {
    const { clock, attempt, run } = setUp(middleware);
    const seen = run();
    await clock.advance(199);
    expect([seen.outcome, attempt.aborted]).toEqual([undefined, undefined]);
    await clock.advance(1);
    expect(seen.outcome).toBeInstanceOf(HandlerTimeoutError);
    expect(seen.outcome).toMatchObject({ handler: 'h', timeoutMs: 200 });
    expect([attempt.aborted, attempt.signal.reason]).toEqual([seen.outcome, seen.outcome]);
  });

  it('is told from one that came back in time, which is aborted no more', async () => {
    const { clock, attempt, run } = setUp(noted('one', []));
    const seen = run();
    await clock.advance(1_000);
    expect([seen.outcome, attempt.aborted, clock.nextTimerInMs]).toEqual(['returned', undefined, undefined]);
  });

  it('has the rest of its time after the handler’s own timeout: it may clean up', async () => {
    const seen: string[] = [];
    const { clock, attempt, handler, run } = setUp(
      provided(async (_invocation, next) => {
        await next().catch(() => seen.push('told'));
        await new Promise<void>((resolve) => clock.setTimeout(resolve, 50));
        seen.push('cleaned up');
        throw new Error('its own');
      }),
    );
    // As the timeout does.
    handler.mockImplementation(() => new Promise((_, reject) => attempt.onAbort(reject)));
    const outcome = run();
    await clock.advance(0);
    attempt.abort(new HandlerTimeoutError('h', 100));
    await clock.advance(49);
    expect([outcome.outcome, seen]).toEqual([undefined, ['told']]);
    await clock.advance(1);
    expect(seen).toEqual(['told', 'cleaned up']);
    expect(outcome.outcome).toMatchObject({ message: 'its own' });
  });
});

describe('an attempt that is aborted', () => {
  it.each(['shutdown', 'cancelled', 'lease-lost'] as const)('by %s does not wait for its middleware', async (cause) => {
    const { clock, attempt, run } = setUp(provided(() => new Promise(() => {})));
    const seen = run();
    const reason = new AttemptAbortedError('h', cause);
    attempt.abort(reason);
    await Promise.resolve();
    expect(seen.outcome).toBeUndefined();
    await clock.advance(0);
    expect(seen.outcome).toBe(reason);
  });

  it('ends as its middleware does if that is at once', async () => {
    const own = new Error('stopped');
    const { clock, attempt, run } = setUp(
      provided(
        ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(own), { once: true })),
      ),
    );
    const seen = run();
    await clock.advance(0);
    attempt.abort(new AttemptAbortedError('h', 'shutdown'));
    await clock.advance(0);
    expect(seen.outcome).toBe(own);
  });
});
