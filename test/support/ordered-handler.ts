import { Injectable } from '@nestjs/common';
import {
  type DeliveryContext,
  type EventMessage,
  EventPublisher,
  OnEvent,
  type OnEventOptions,
} from 'nestjs-durable-events';
import { expect } from 'vitest';
import type { ManualApp } from './manual-app.js';

interface Step {
  readonly n: number;
}

export type Work = (n: number, context: DeliveryContext) => unknown;

/** An ordered handler that tells what it does, and a way to let what it has begun end. */
export function orderedHandler(work: Work = () => undefined, options: OnEventOptions = {}) {
  const told: string[] = [];
  const running = new Set<string>();
  const most = { of: 0 };
  @Injectable()
  class Ordered {
    @OnEvent('step', {
      name: 'ordered',
      ordering: true,
      retry: { backoff: 'fixed', initialDelay: 1_000, jitter: 'none', maxAttempts: 2 },
      circuit: false,
      ...options,
    })
    async run(event: EventMessage<Step>, context: DeliveryContext) {
      const { n } = event.payload;
      const key = event.orderingKey ?? `none-${n}`;
      expect(running).not.toContain(key);
      running.add(key);
      most.of = Math.max(most.of, running.size);
      told.push(`${key}${n}`);
      try {
        await work(n, context);
      } finally {
        running.delete(key);
      }
    }
  }
  return { Ordered, told, running, most };
}

/** Each step is its key, its number and perhaps a delay. */
export async function publishSteps(
  { app }: ManualApp,
  steps: readonly (readonly [string | undefined, number, number?])[],
) {
  await app.get(EventPublisher).publishAll(
    steps.map(([orderingKey, n, delay]) => ({
      event: 'step',
      payload: { n },
      ...(orderingKey !== undefined && { orderingKey }),
      ...(delay !== undefined && { delay }),
    })),
  );
}

/** A promise that is resolved from outside, one for each number. */
export function gates() {
  const open = new Map<number, () => void>();
  const wait = (n: number) => new Promise<void>((resolve) => open.set(n, resolve));
  const release = (n: number) => {
    const resolve = open.get(n);
    if (!resolve) throw new Error(`${n} has not begun`);
    resolve();
  };
  return { wait, release };
}
