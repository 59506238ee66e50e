import { Module, type Provider, type Type } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { onTestFinished } from 'vitest';
import { DeliveryContext, type EventMessage, Invocation, type OnEventOptions } from 'nestjs-durable-events';
import type { HandlerDefinition } from '../../libs/events/src/discovery/handler-definition.js';
import { HandlerExplorer } from '../../libs/events/src/discovery/handler.explorer.js';
import { HandlerMetadataAccessor } from '../../libs/events/src/discovery/handler-metadata.accessor.js';
import { HandlerRegistry } from '../../libs/events/src/discovery/handler.registry.js';
import { DeliveredEvent } from '../../libs/events/src/envelope/delivered-event.js';
import { EVENTS_OPTIONS } from '../../libs/events/src/events.module-definition.js';
import type { StoredEvent } from '../../libs/events/src/store/records.js';

/** What an explored application is made of. */
export interface Parts {
  readonly providers?: Provider[];
  readonly controllers?: Type[];
  readonly imports?: Type[];
  /** The module option. */
  readonly defaults?: OnEventOptions;
}

export type ExploredApp = Awaited<ReturnType<typeof exploreApp>>;

/** Boots a Nest application with `ShopModule` of these parts and explores it; closes it when the test has finished. */
export async function exploreApp({ providers = [], controllers = [], imports = [], defaults = {} }: Parts) {
  @Module({ providers, controllers })
  class ShopModule {}

  const app = await Test.createTestingModule({
    imports: [DiscoveryModule, ShopModule, ...imports],
    providers: [HandlerExplorer, HandlerMetadataAccessor, { provide: EVENTS_OPTIONS, useValue: { defaults } }],
  }).compile();
  onTestFinished(() => app.close());
  await app.init();
  const { definitions, warnings } = app.get(HandlerExplorer).explore();
  const registry = new HandlerRegistry();
  registry.register(definitions);
  return { app, registry, definitions, warnings, names: definitions.map(({ name }) => name) };
}

const stored: StoredEvent = {
  seq: 1,
  id: 'e1',
  type: 'payment.processed',
  version: 1,
  payload: '{"amount":5}',
  headers: null,
  orderingKey: null,
  priority: null,
  occurredAt: 0,
  receivedAt: 0,
};

class StillContext extends DeliveryContext {
  readonly deliveryId = '1';
  readonly attempt = 1;
  readonly maxAttempts = 5;
  readonly signal = new AbortController().signal;

  constructor(readonly handler: string) {
    super();
  }

  transaction(): never {
    throw new Error('not in these tests');
  }

  snooze(): never {
    throw new Error('not in these tests');
  }
}

class OneInvocation extends Invocation {
  readonly attempt = 1;
  readonly signal: AbortSignal;

  constructor(
    readonly event: EventMessage,
    readonly handler: HandlerDefinition,
    readonly context: DeliveryContext,
  ) {
    super();
    this.signal = context.signal;
  }
}

/** Delivers `payment.processed` with amount 5 to one handler; answers what the handler returned. */
export async function deliver({ registry }: ExploredApp, name: string, headers: Record<string, string> = {}) {
  const handler = registry.get(name);
  if (!handler) throw new Error(`no handler ${name}`);
  const event: EventMessage = new DeliveredEvent({ ...stored, headers: JSON.stringify(headers) });
  const context = new StillContext(name);
  return handler.call(event, context, new OneInvocation(event, handler, context));
}
