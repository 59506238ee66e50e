/** What is struck by faults: work that a dead node has left, and a node that does it. For memory and for databases. */
import { spawnSync } from 'node:child_process';
import { hostname } from 'node:os';
import { type DynamicModule, Injectable, type Provider } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { DeliveryContext, EventMessage, OnEvent } from '../../libs/events/src/index.js';
import { EventFaults, type Fault, type FaultPoint } from '../../libs/events/src/testing/index.js';
import type { EventStore } from '../../libs/events/src/store/event-store.js';
import type { NewEvent } from '../../libs/events/src/store/records.js';

/** Where handlers leave their marks. */
export abstract class Ledger {
  /** An effect, as part of the delivery's transaction. */
  abstract effect(n: number, manager: EntityManager): Promise<unknown>;
  /** Once per run. */
  abstract run(n: number): unknown;
}

const options = {
  retry: { maxAttempts: 6, backoff: 'fixed', initialDelay: 20, jitter: 'none' },
  circuit: false,
} as const;

/** Its effect and its completion are one commit. */
@Injectable()
export class TransactionHandler {
  constructor(private readonly ledger: Ledger) {}

  @OnEvent('work.done', { name: 'transaction', ...options })
  async run({ payload }: EventMessage<{ n: number }>, context: DeliveryContext): Promise<void> {
    await context.transaction(async (manager) => this.ledger.effect(payload.n, manager));
  }
}

/** The node settles it. */
@Injectable()
export class PlainHandler {
  constructor(private readonly ledger: Ledger) {}

  @OnEvent('work.done', { name: 'plain', ...options })
  async run({ payload }: EventMessage<{ n: number }>): Promise<void> {
    await this.ledger.run(payload.n);
  }
}

export const HANDLERS = { transaction: TransactionHandler, plain: PlainHandler };
export type HandlerName = keyof typeof HANDLERS;

/** Which fault strikes where, and whose deliveries there are. */
export interface Strike {
  readonly point: FaultPoint;
  readonly kind: 'crash' | 'error' | 'latency';
  readonly handlers: readonly HandlerName[];
}

const FAULTS: Record<Strike['kind'], Fault> = {
  crash: { crash: true },
  error: { error: new Error('injected') },
  latency: { latency: 300 },
};

export function nodeProviders(handlers: readonly HandlerName[], ledger: Ledger): Provider[] {
  return [{ provide: Ledger, useValue: ledger }, ...handlers.map((name) => HANDLERS[name])];
}

/** Token of the fault that was injected. */
export const STRIKER = Symbol('striker');

/** Injects the fault before the node does anything at all. */
export function striker({ point, kind }: Strike, onCrash?: () => void): Provider {
  return {
    provide: STRIKER,
    inject: [EventFaults],
    useFactory: (faults: EventFaults) => {
      if (onCrash) faults.onCrash(onCrash);
      return faults.inject(point, FAULTS[kind]);
    },
  };
}

class FaultNodeModule {}

export function faultNode(events: DynamicModule, providers: Provider[]): DynamicModule {
  return { module: FaultNodeModule, imports: [events], providers };
}

export const EVENTS = 10;

/** Of the 10 events 6 are fanned out (2 of them scheduled and due, up to 4 deliveries leased by a dead node), 4 are raw. */
export async function leaveWork(store: EventStore, handlers: readonly HandlerName[], now: number): Promise<void> {
  const pid = spawnSync('true').pid;
  const node = await store.registerNode({ label: 'gone', host: hostname(), pid }, now);
  const registrations = handlers.map((name) => ({
    name,
    patterns: ['work.done'],
    priority: 50,
    ordered: false,
    onDeadLetter: 'block' as const,
  }));
  await store.registerHandlers(node, registrations, now);
  const { version } = await store.loadRegistry();
  const events = Array.from({ length: EVENTS }, (_, n) => newEvent(n, handlers, now));
  await store.append({ events: events.slice(0, 6), registryVersion: version, now: now - 1_000 });
  await store.append({ events: events.slice(6), registryVersion: -1, now });
  await store.claim({ node, wants: handlers.map((handler) => ({ handler, limit: 2 })), limit: 4, suspect: false });
}

function newEvent(n: number, handlers: readonly HandlerName[], now: number): NewEvent {
  return {
    id: `e-${n}`,
    type: 'work.done',
    version: 1,
    payload: JSON.stringify({ n }),
    headers: null,
    orderingKey: null,
    priority: null,
    occurredAt: now,
    availableAt: n === 4 || n === 5 ? now - 500 : null,
    deliveries: handlers.map((handler) => ({ handler, priority: 50, orderingKey: null })),
  };
}
