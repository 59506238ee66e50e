import { Injectable } from '@nestjs/common';
import { DeliveryContext, EventInbox, EventMessage, EventPublisher, OnEvent } from 'nestjs-durable-events';
import { vi } from 'vitest';
import { EVENT_STORE, type EventStore } from '../../libs/events/src/store/event-store.js';
import type { ManualApp } from './manual-app.js';

export const retry = { jitter: 'none', backoff: 'fixed', initialDelay: '1s' } as const;

/** A handler whose runs end when the test says so. */
@Injectable()
export class Gate {
  readonly runs: {
    id: string;
    attempt: number;
    signal: AbortSignal;
    end: () => void;
    fail: (error: unknown) => void;
  }[] = [];

  @OnEvent('gate.work', { name: 'gate', concurrency: 2, timeout: '1h', retry, circuit: false })
  run(event: EventMessage, { attempt, signal }: DeliveryContext): Promise<void> {
    return new Promise((end, fail) => this.runs.push({ id: event.id, attempt, signal, end, fail }));
  }
}

/** Does nothing, at once. */
@Injectable()
export class Quick {
  readonly seen: string[] = [];

  @OnEvent('quick.work', { name: 'quick', retry, circuit: false })
  run(event: EventMessage): void {
    this.seen.push(event.id);
  }
}

export const storeOf = ({ app }: ManualApp): EventStore => app.get(EVENT_STORE);

export async function publish({ app, clock }: ManualApp, event: string, ids: string[]): Promise<void> {
  await app.get(EventPublisher).publishAll(ids.map((id) => ({ event, payload: {}, id })));
  await clock.advance(0);
}

/** State and attempts spent of each event's one delivery. */
export async function states({ app }: ManualApp, ids: string[]): Promise<string[]> {
  const deliveries = await Promise.all(ids.map((id) => app.get(EventInbox).deliveries(id)));
  return deliveries.map(([{ state, attempts }]) => `${state} ${attempts}`);
}

/** Lets the store's verb go wrong until `works` is called. */
export function breakVerb(
  store: EventStore,
  verb: 'beat' | 'claim' | 'settle' | 'payload' | 'stage',
): { works: () => void } {
  const broken = vi.spyOn(store, verb).mockRejectedValue(new Error('database is away'));
  return { works: () => broken.mockRestore() };
}

export const range = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/** From now on nothing is claimed with the commit of a publish. */
export function claimApart(store: EventStore): void {
  const append = store.append.bind(store);
  vi.spyOn(store, 'append').mockImplementation(({ claim: _claim, ...request }, manager) => append(request, manager));
}

/** Claims that have been made in the store, but whose answers hang until they are let go. */
export function hangingClaim(setting: ManualApp) {
  const store = storeOf(setting);
  claimApart(store);
  const { hanging, letGo } = hangingAnswers(store.claim.bind(store));
  return { claim: vi.spyOn(store, 'claim').mockImplementation(hanging), letGo };
}

/** Publishes that have been committed, but whose answers hang until they are let go. */
export function hangingAppend(setting: ManualApp) {
  const store = storeOf(setting);
  const { hanging, letGo } = hangingAnswers(store.append.bind(store));
  return { append: vi.spyOn(store, 'append').mockImplementation(hanging), letGo };
}

function hangingAnswers<A extends unknown[], R>(verb: (...args: A) => Promise<R>) {
  let letGo = (): void => undefined;
  const opened = new Promise<void>((resolve) => (letGo = resolve));
  const hanging = async (...args: A): Promise<R> => {
    const answer = await verb(...args);
    await opened;
    return answer;
  };
  return { hanging, letGo };
}
