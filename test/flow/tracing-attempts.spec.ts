/** Spans of attempts, and how they are connected, as OpenTelemetry's own SDK gets them. */
import { createHash } from 'node:crypto';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-node';
import { EventInvoker, EventsNode, PermanentError } from 'nestjs-durable-events';
import { describe, expect, it } from 'vitest';
import { idsOf, linksOf, register, start, traceparentOf, type Work } from '../support/traced-orders.js';
import { Traces } from '../support/traces.js';

describe('an attempt', () => {
  it('is a consumer’s span at the root of a trace of its own, linked to the publisher’s, and tells what it knows', async () => {
    const traces = register();
    const { app, kit, publisher, inbox, orders } = await start();
    orders.work = async () => {
      await app.get(EventsNode).pause();
      await publisher.publish('mail.due', { secret: 'payload' }, { orderingKey: 'customer-7' });
    };
    const { id } = await publisher.publish('order.placed', {});
    await kit.clock.advance('5s');
    await app.get(EventsNode).resume();
    await kit.drain();
    const [mail] = orders.mails;
    const [delivery] = await inbox.deliveries(mail.id);

    const span = traces.only('process mail.due mails');
    expect(span.kind).toBe(SpanKind.CONSUMER);
    expect(span.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(span.parentSpanContext).toBeUndefined();
    expect(linksOf(span)).toEqual([idsOf(traces.only('publish mail.due'))]);
    expect(span.attributes).toEqual({
      'messaging.system': 'nestjs-durable-events',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'process',
      'messaging.destination.name': 'mail.due',
      'messaging.consumer.group.name': 'mails',
      'messaging.message.id': mail.id,
      'messaging.message.conversation_id': id,
      'events.causation_id': id,
      'events.delivery.id': delivery.id,
      'events.attempt': 1,
      'events.wait_ms': 5000,
      'events.ordering_key.hash': createHash('sha256').update('customer-7').digest('hex').slice(0, 16),
      'events.outcome': 'completed',
    });
  });

  it('has the handler in its context: the spans of the handler and its publishes are its children', async () => {
    const traces = register();
    const { kit, publisher, orders } = await start();
    orders.work = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await trace.getTracer('test').startActiveSpan('charge', async (charge) => {
        await publisher.publish('mail.due', {});
        charge.end();
      });
    };
    await publisher.publish('order.placed', {});
    await kit.drain();
    const chain = ['process order.placed orders', 'charge', 'publish mail.due'].map((name) => traces.only(name));
    for (const [index, child] of chain.slice(1).entries()) {
      expect(child.parentSpanContext?.spanId).toBe(chain[index].spanContext().spanId);
    }
    expect(linksOf(traces.only('process mail.due mails'))).toEqual([idsOf(chain[2])]);
    expect(new Set(traces.spans.map((span) => span.spanContext().traceId)).size).toBe(3);
  });

  it('with the option parent goes on with the publisher’s trace', async () => {
    const traces = register();
    const { kit, publisher, orders } = await start({ tracing: { parent: 'parent' } });
    orders.work = async () => {
      await publisher.publish('mail.due', {});
    };
    await publisher.publish('order.placed', {});
    await kit.drain();
    const names = ['publish order.placed', 'process order.placed orders', 'publish mail.due', 'process mail.due mails'];
    const chain = names.map((name) => traces.only(name));
    for (const [index, child] of chain.slice(1).entries()) {
      expect(child.parentSpanContext?.spanId).toBe(chain[index].spanContext().spanId);
      expect(child.links).toEqual([]);
    }
    expect(new Set(chain.map((span) => span.spanContext().traceId)).size).toBe(1);
  });

  it.each<[string, Parameters<typeof Traces.register>[0]]>([
    ['kept', {}],
    ['not kept', { sampler: new AlwaysOffSampler() }],
  ])('sees the publisher’s baggage, and hands it on, also if spans are %s', async (_what, parts) => {
    register(parts);
    const { kit, publisher, orders } = await start();
    const seen: (string | undefined)[] = [];
    const note = () => seen.push(propagation.getActiveBaggage()?.getEntry('tenant')?.value);
    orders.work = async () => {
      note();
      await publisher.publish('mail.due', {});
    };
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    await context.with(propagation.setBaggage(context.active(), baggage), () => publisher.publish('order.placed', {}));
    await kit.drain();
    expect(seen).toEqual(['acme']);
    expect(orders.mails[0].headers['baggage']).toBe('tenant=acme');
  });

  it('that fails has its error, and is linked from the next, which its record names', async () => {
    const traces = register();
    const { kit, publisher, inbox, orders } = await start();
    const down = new TypeError('down');
    orders.work = (_event, { attempt }) => {
      if (attempt < 3) throw down;
    };
    const { id } = await publisher.publish('order.placed', {});
    await kit.drain({ advance: true });
    const attempts = traces.named('process order.placed orders');
    const [first, second, third] = attempts;
    expect(attempts.map(({ attributes }) => [attributes['events.attempt'], attributes['events.outcome']])).toEqual([
      [1, 'retry'],
      [2, 'retry'],
      [3, 'completed'],
    ]);
    for (const { status, attributes, events } of [first, second]) {
      expect(status).toEqual({ code: SpanStatusCode.ERROR, message: 'down' });
      expect(attributes['error.type']).toBe('TypeError');
      expect(events).toMatchObject([
        {
          name: 'exception',
          attributes: {
            'exception.type': 'TypeError',
            'exception.message': 'down',
            'exception.stacktrace': down.stack,
          },
        },
      ]);
    }
    expect([third.status.code, third.events]).toEqual([SpanStatusCode.UNSET, []]);
    const publish = idsOf(traces.only('publish order.placed'));
    expect(attempts.map(linksOf)).toEqual([[publish], [publish, idsOf(first)], [publish, idsOf(second)]]);
    const [{ failures }] = await inbox.deliveries(id);
    expect(failures.map(({ trace }) => trace)).toEqual([first, second].map(traceparentOf));
  });

  it.each<[outcome: string, work: Work, rest: object]>([
    [
      'dead',
      () => {
        throw new PermanentError('never');
      },
      { 'events.dead_letter.reason': 'rejected', 'error.type': 'PermanentError' },
    ],
    ['snoozed', (_event, context) => context.snooze('1s'), {}],
  ])('that ends as %s says so', async (outcome, work, rest) => {
    const traces = register();
    const { kit, publisher, orders } = await start();
    orders.work = (event, context) => {
      orders.work = () => undefined;
      return work(event, context);
    };
    await publisher.publish('order.placed', {});
    await kit.drain();
    const span = traces.only('process order.placed orders');
    expect(span.attributes).toMatchObject({ 'events.outcome': outcome, ...rest });
    expect(span.status.code).toBe(outcome === 'dead' ? SpanStatusCode.ERROR : SpanStatusCode.UNSET);
  });

  it('of an @OnDeadLetter handler is linked to the attempt that died, and correlates with its event', async () => {
    const traces = register();
    const { kit, publisher, orders } = await start();
    orders.work = () => {
      throw new PermanentError('never');
    };
    const { id } = await publisher.publish('order.placed', {});
    await kit.drain();
    const alarm = traces.only('process events.dead-letter alarm');
    expect(linksOf(alarm)).toEqual([idsOf(traces.only('process order.placed orders'))]);
    expect(alarm.attributes).toMatchObject({
      'messaging.message.conversation_id': id,
      'events.causation_id': id,
      'events.outcome': 'completed',
    });
  });

  it('with an error after its transaction has committed is completed, and has the error', async () => {
    const traces = register();
    const { kit, publisher, orders } = await start();
    orders.work = async (_event, context) => {
      await context.transaction(async () => {});
      throw new Error('too late');
    };
    await publisher.publish('order.placed', {});
    await kit.drain();
    const { attributes, status, events } = traces.only('process order.placed orders');
    expect([attributes['events.outcome'], status.code]).toEqual(['completed', SpanStatusCode.UNSET]);
    expect(events).toMatchObject([{ attributes: { 'exception.message': 'too late' } }]);
  });

  it('called directly is a trace too, linked to the caller’s if there is one', async () => {
    const traces = register();
    const { app, orders } = await start();
    orders.work = () => {
      throw new Error('down');
    };
    const invoker = app.get(EventInvoker);
    await invoker.invoke('orders', 'order.placed', {}, { attempt: 2 });
    await trace.getTracer('test').startActiveSpan('tool', async (tool) => {
      await invoker.invoke('orders', 'order.placed', {});
      tool.end();
    });
    const attempts = traces.named('process order.placed orders');
    expect(attempts.map(({ attributes }) => [attributes['events.attempt'], attributes['events.outcome']])).toEqual([
      [2, 'retry'],
      [1, 'retry'],
    ]);
    expect(attempts.map(linksOf)).toEqual([[], [idsOf(traces.only('tool'))]]);
    expect(attempts.map(({ parentSpanContext }) => parentSpanContext)).toEqual([undefined, undefined]);
  });
});
