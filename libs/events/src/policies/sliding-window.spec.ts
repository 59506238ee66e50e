import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlidingWindow } from './sliding-window.js';

/** Scope: what a sliding window counts, and for how long. One bucket here is 10 ms. */
const WINDOW_MS = 1000;
const BUCKET_MS = 10;
const SEED = { seed: 20260102, numRuns: 1000 };

/** Records calls at these times and answers the counts after the last. */
function counted(calls: readonly (readonly [at: number, failed: boolean])[]) {
  const window = new SlidingWindow(WINDOW_MS);
  for (const [at, failed] of calls) window.record(failed, at);
  return { calls: window.calls, failures: window.failures };
}

describe('SlidingWindow', () => {
  it('a lone call leaves exactly when it is as old as the window', () => {
    expect(counted([[0, true], [999.9, false]])).toEqual({ calls: 2, failures: 1 }); // prettier-ignore
    expect(counted([[0, true], [1000, false]])).toEqual({ calls: 1, failures: 0 }); // prettier-ignore
  });

  it('calls of one bucket leave together, with its first', () => {
    expect(counted([[0, true], [9, true], [10, true], [999, false]])).toEqual({ calls: 4, failures: 3 }); // prettier-ignore
    expect(counted([[0, true], [9, true], [10, true], [1000, false]])).toEqual({ calls: 2, failures: 1 }); // prettier-ignore
  });

  it('is empty after clear, and counts on', () => {
    const window = new SlidingWindow(WINDOW_MS);
    for (let at = 0; at < 500; at += 7) window.record(true, at);
    window.clear();
    expect([window.calls, window.failures]).toEqual([0, 0]);
    window.record(true, 501);
    window.record(false, 1600);
    expect([window.calls, window.failures]).toEqual([1, 0]);
  });

  it('counts a million calls a window', () => {
    const window = new SlidingWindow(WINDOW_MS);
    for (let call = 0; call < 2_000_000; call++) window.record(call % 4 === 0, call / 1000);
    // The newest bucket is at most 10 ms wide, so between 99 % and all of a window is there.
    expect(window.calls).toBeGreaterThanOrEqual(990_000);
    expect(window.calls).toBeLessThanOrEqual(1_000_000);
    expect(window.failures / window.calls).toBeCloseTo(0.25, 4);
  });

  it('is exact for calls that are a bucket or more apart', () => {
    const gap = fc.oneof(fc.constant(0), fc.integer({ min: BUCKET_MS, max: 1500 }));
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, fc.boolean()), { maxLength: 200, size: 'max' }), (steps) => {
        const calls = timed(steps);
        expect(counted(calls)).toEqual(naive(calls, WINDOW_MS));
      }),
      SEED,
    );
  });

  it('never counts a call too long, nor loses one over a bucket too early', () => {
    const gap = fc.oneof(fc.nat(3), fc.nat(40), fc.nat(1500), fc.double({ min: 0, max: 20, noNaN: true }));
    fc.assert(
      fc.property(fc.array(fc.tuple(gap, fc.boolean()), { minLength: 1, maxLength: 300, size: 'max' }), (steps) => {
        const calls = timed(steps);
        const { calls: all, failures } = counted(calls);
        const most = naive(calls, WINDOW_MS);
        const least = naive(calls, WINDOW_MS - BUCKET_MS);
        expect(all).toBeGreaterThanOrEqual(least.calls);
        expect(all).toBeLessThanOrEqual(most.calls);
        expect(failures).toBeGreaterThanOrEqual(least.failures);
        expect(failures).toBeLessThanOrEqual(most.failures);
      }),
      SEED,
    );
  });
});

function timed(steps: readonly (readonly [gap: number, failed: boolean])[]): [number, boolean][] {
  let now = 0;
  return steps.map(([gap, failed]) => [(now += gap), failed]);
}

/** The same by keeping every call. */
function naive(calls: readonly (readonly [at: number, failed: boolean])[], windowMs: number) {
  const now = calls.at(-1)?.[0] ?? 0;
  const inside = calls.filter(([at]) => now - at < windowMs);
  return { calls: inside.length, failures: inside.filter(([, failed]) => failed).length };
}
