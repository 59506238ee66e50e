/** An application whose publishes and attempts are traced, and what its spans say. */
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import {
  DeliveryContext,
  EventInbox,
  EventMessage,
  EventPublisher,
  OnDeadLetter,
  OnEvent,
  type EventsModuleOptions,
} from 'nestjs-durable-events';
import { EventsTestingModule, EventsTestKit } from 'nestjs-durable-events/testing';
import { onTestFinished } from 'vitest';
import { LogLines } from './shop-app.js';
import { Traces } from './traces.js';

export type Work = (event: EventMessage, context: DeliveryContext) => unknown;

@Injectable()
export class Orders {
  work: Work = () => undefined;
  readonly mails: EventMessage[] = [];

  @OnEvent('order.placed', { name: 'orders', retry: { maxAttempts: 3, initialDelay: '1s', jitter: 'none' } })
  async place(event: EventMessage, context: DeliveryContext): Promise<void> {
    await this.work(event, context);
  }

  @OnDeadLetter('order.*', { name: 'alarm' })
  alarm(event: EventMessage): void {
    this.mails.push(event);
  }

  @OnEvent('mail.due', { name: 'mails' })
  mail(event: EventMessage): void {
    this.mails.push(event);
  }
}

type Options = Pick<EventsModuleOptions, 'tracing' | 'contextHeaders'>;

export async function start(options: Options = {}) {
  const log = new LogLines();
  const app = await Test.createTestingModule({
    imports: [EventsTestingModule.forRoot(options)],
    providers: [Orders],
  })
    .setLogger(log)
    .compile();
  onTestFinished(() => app.close());
  await app.init();
  const [kit, publisher, inbox] = [app.get(EventsTestKit), app.get(EventPublisher), app.get(EventInbox)];
  return { app, log, kit, publisher, inbox, orders: app.get(Orders) };
}

export function register(parts: Parameters<typeof Traces.register>[0] = {}): Traces {
  const traces = Traces.register(parts);
  onTestFinished(() => traces.close());
  return traces;
}

export const idsOf = (span: ReadableSpan) => {
  const { traceId, spanId } = span.spanContext();
  return { traceId, spanId };
};
export const linksOf = (span: ReadableSpan) =>
  span.links.map(({ context: { traceId, spanId } }) => ({ traceId, spanId }));
export const traceparentOf = (span: ReadableSpan) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`;
