/** Scope: what counts as an attempt under way. */
import { describe, expect, it } from 'vitest';
import { Activity } from '../observability/activity.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import { MetricsMiddleware } from './metrics.middleware.js';

describe('attempts under way', () => {
  it('are counted for their handler until they end, however they do', async () => {
    const clock = new ManualClock();
    const activity = new Activity(clock);
    const middleware = new MetricsMiddleware(activity, new EventLifecycle(), clock);
    const attempt = newAttempt(newHandler());
    let [end, fail] = [(): void => undefined, (_error: Error): void => undefined];
    const returns = middleware.invoke(attempt, () => new Promise((resolve) => (end = resolve)));
    const throws = middleware.invoke(attempt, () => new Promise((_, reject) => (fail = reject)));
    const counts = [activity.of('h').inFlight];
    end();
    await returns;
    counts.push(activity.of('h').inFlight);
    fail(new Error('down'));
    await expect(throws).rejects.toThrow('down');
    counts.push(activity.of('h').inFlight);
    expect(counts).toEqual([2, 1, 0]);
    expect(activity.of('another').inFlight).toBe(0);
  });
});
