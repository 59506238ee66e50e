/**
 * Scope: what a subscriber of the diagnostics channel is told of an attempt, and what an attempt costs while nobody looks.
 * Spans: test/flow/tracing.spec.ts.
 */
import { tracingChannel } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EventTracing } from '../observability/tracing/event-tracing.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import { TracingMiddleware } from './tracing.middleware.js';

const middleware = new TracingMiddleware(new EventTracing({ tracing: { parent: 'link' } }, new ManualClock()), () => {
  throw new Error('nobody may ask for this');
});
const down = new Error('down');

/** What a subscriber sees of the attempts from now on. */
function subscribe() {
  const seen: [what: string, message: unknown][] = [];
  const note = (what: string) => (message: unknown) => void seen.push([what, message]);
  const subscribers = {
    start: note('start'),
    end: note('end'),
    asyncStart: note('asyncStart'),
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  };
  const attempts = tracingChannel('nestjs-durable-events:attempt');
  attempts.subscribe(subscribers);
  onTestFinished(() => {
    attempts.unsubscribe(subscribers);
  });
  return seen;
}

describe('the trace of an attempt', () => {
  it('costs nothing when nobody subscribes and no SDK is registered', () => {
    const going = Promise.resolve();
    const attempt = newAttempt(newHandler(), { delivery: { attempts: 1 }, event: { headers: 'not even read' } });
    expect(middleware.invoke(attempt, () => going)).toBe(going);
    expect(attempt.span).toBeUndefined();
  });

  it('tells a subscriber when it starts and ends, with the invocation', async () => {
    const seen = subscribe();
    const attempt = newAttempt(newHandler());
    await middleware.invoke(attempt, async () => {});
    expect(seen.map(([what]) => what)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(seen[0][1]).toMatchObject({ invocation: attempt });
  });

  it('tells of its error, and passes it on', async () => {
    const seen = subscribe();
    await expect(middleware.invoke(newAttempt(newHandler()), () => Promise.reject(down))).rejects.toBe(down);
    expect(seen.find(([what]) => what === 'error')?.[1]).toMatchObject({ error: down });
  });
});
