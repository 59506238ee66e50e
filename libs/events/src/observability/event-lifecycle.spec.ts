import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';
import { filter, map } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EventLifecycle } from './event-lifecycle.js';
import type { LifecycleFact } from './lifecycle-fact.js';

const PRUNED = { fact: 'pruned', rows: 3 } as const;
const CHANNEL = 'nestjs-durable-events:pruned';
const ignore = () => undefined;
const fail = () => {
  throw new Error('mine');
};

describe('lifecycle facts', () => {
  const lines: unknown[] = [];
  beforeEach(() => {
    vi.spyOn(Logger.prototype, 'error').mockImplementation((line: unknown) => void lines.push(line));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    lines.length = 0;
  });

  it('reach who subscribes, through operators too, until it unsubscribes', () => {
    const lifecycle = new EventLifecycle();
    const facts: unknown[] = [];
    const subscriptions = [
      lifecycle.subscribe((fact) => facts.push(fact)),
      lifecycle.subscribe({ next: (fact) => facts.push(fact.fact) }),
      lifecycle
        .pipe(
          filter((fact) => fact.fact === 'pruned'),
          map(({ rows }) => rows),
        )
        .subscribe((rows) => facts.push(rows)),
    ];
    lifecycle.emit(PRUNED);
    lifecycle.emit({ fact: 'redriven', count: 1 });
    expect(facts).toEqual([PRUNED, 'pruned', 3, { fact: 'redriven', count: 1 }, 'redriven']);
    for (const subscription of subscriptions) subscription.unsubscribe();
    lifecycle.emit(PRUNED);
    expect([facts.length, lifecycle.wants('pruned')]).toEqual([5, false]);
  });

  it('reach who subscribes to their diagnostics channel, and nobody else', () => {
    const lifecycle = new EventLifecycle();
    const facts: unknown[] = [];
    const listener = (fact: unknown, name: string | symbol) => facts.push([fact, name]);
    subscribe(CHANNEL, listener);
    expect([lifecycle.wants('pruned'), lifecycle.wants('redriven')]).toEqual([true, false]);
    lifecycle.emit(PRUNED);
    lifecycle.emit({ fact: 'redriven', count: 1 });
    expect(unsubscribe(CHANNEL, listener)).toBe(true);
    lifecycle.emit(PRUNED);
    expect(facts).toEqual([[PRUNED, CHANNEL]]);
    expect([lifecycle.wants('pruned'), channel(CHANNEL).hasSubscribers]).toEqual([false, false]);
  });

  it('go on past subscribers that throw: each is logged once', async () => {
    const uncaught = vi.fn();
    process.once('uncaughtException', uncaught);
    const lifecycle = new EventLifecycle();
    const facts: LifecycleFact[] = [];
    const subscriptions = [lifecycle.subscribe(fail), lifecycle.subscribe((fact) => facts.push(fact))];
    const listener = () => fail();
    subscribe(CHANNEL, listener);
    subscribe(CHANNEL, ignore);
    for (let n = 0; n < 3; n++) lifecycle.emit(PRUNED);
    // Uncaught ones come with the next tick, or with a timer.
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect([facts.length, uncaught.mock.calls.length, lines.length]).toEqual([3, 0, 2]);
    process.off('uncaughtException', uncaught);
    for (const subscription of subscriptions) subscription.unsubscribe();
    expect([unsubscribe(CHANNEL, listener), unsubscribe(CHANNEL, ignore)]).toEqual([true, true]);
    expect(lifecycle.wants('pruned')).toBe(false);
  });
});
