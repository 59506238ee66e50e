/** Spans of publishes and attempts, and how they are connected, as OpenTelemetry's own SDK gets them. */
import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AlwaysOffSampler, type ReadableSpan, type Sampler, type SpanProcessor } from '@opentelemetry/sdk-trace-node';
import {
  DeliveryContext,
  EventInbox,
  EventInvoker,
  EventMessage,
  EventPublisher,
  EventsNode,
  OnDeadLetter,
  OnEvent,
  PermanentError,
  type EventsModuleOptions,
} from 'nestjs-durable-events';
import { EventsTestingModule, EventsTestKit } from 'nestjs-durable-events/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { LogLines } from '../support/shop-app.js';
import { Traces } from '../support/traces.js';

type Work = (event: EventMessage, context: DeliveryContext) => unknown;

@Injectable()
class Orders {
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

async function start(options: Options = {}) {
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

function register(parts: Parameters<typeof Traces.register>[0] = {}): Traces {
  const traces = Traces.register(parts);
  onTestFinished(() => traces.close());
  return traces;
}

const idsOf = (span: ReadableSpan) => {
  const { traceId, spanId } = span.spanContext();
  return { traceId, spanId };
};
const linksOf = (span: ReadableSpan) => span.links.map(({ context: { traceId, spanId } }) => ({ traceId, spanId }));
const traceparentOf = (span: ReadableSpan) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`;

describe('a publish', () => {
  it('is a producer’s span, whose context and baggage are stored with the event', async () => {
    const traces = register();
    const { publisher, inbox } = await start();
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    const { id } = await context.with(propagation.setBaggage(context.active(), baggage), () =>
      publisher.publish('order.placed', { secret: 'payload' }, { headers: { shade: 'blue' } }),
    );
    const span = traces.only('publish order.placed');
    expect(span.kind).toBe(SpanKind.PRODUCER);
    expect(span.status).toEqual({ code: SpanStatusCode.UNSET });
    expect(span.attributes).toEqual({
      'messaging.system': 'nestjs-durable-events',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'publish',
      'messaging.destination.name': 'order.placed',
      'messaging.message.id': id,
    });
    expect((await inbox.get(id))?.headers).toEqual({
      traceparent: traceparentOf(span),
      baggage: 'tenant=acme',
      shade: 'blue',
    });
  });

  it('says that the id was known', async () => {
    const traces = register();
    const { publisher } = await start();
    for (const _ of [1, 2]) await publisher.publish('order.placed', {}, { id: 'o-1' });
    const duplicates = traces.named('publish order.placed').map(({ attributes }) => attributes['events.duplicate']);
    expect(duplicates).toEqual([undefined, true]);
  });

  it('of a list is one span, which all of its events carry', async () => {
    const traces = register();
    const { publisher, inbox } = await start();
    await publisher.publishAll(['1', '2'].map((id) => ({ event: 'order.placed', payload: {}, id })));
    await publisher.publishAll(['a', 'b'].map((event) => ({ event, payload: {} })));
    expect(await publisher.publishAll([])).toEqual([]);
    const ofOneType = traces.only('publish order.placed');
    expect(ofOneType.attributes).toMatchObject({
      'messaging.destination.name': 'order.placed',
      'messaging.batch.message_count': 2,
    });
    expect(traces.only('publish').attributes).toEqual({
      'messaging.system': 'nestjs-durable-events',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'publish',
      'messaging.batch.message_count': 2,
    });
    for (const id of ['1', '2']) {
      expect((await inbox.get(id))?.headers).toEqual({ traceparent: traceparentOf(ofOneType) });
    }
    expect(traces.spans).toHaveLength(2);
  });

  it('is the child of the span around it', async () => {
    const traces = register();
    const { publisher } = await start();
    await trace.getTracer('test').startActiveSpan('request', async (request) => {
      await publisher.publish('order.placed', {});
      request.end();
    });
    const [request, publish] = [traces.only('request'), traces.only('publish order.placed')];
    expect(publish.parentSpanContext?.spanId).toBe(request.spanContext().spanId);
    expect(publish.spanContext().traceId).toBe(request.spanContext().traceId);
  });

  it('runs inside of its span', async () => {
    const traces = register();
    const capture = () => {
      trace.getTracer('test').startSpan('capture').end();
      return {};
    };
    const { publisher } = await start({ contextHeaders: { capture, restore: (_headers, run) => run() } });
    await publisher.publish('order.placed', {});
    const { spanId } = traces.only('publish order.placed').spanContext();
    expect(traces.only('capture').parentSpanContext?.spanId).toBe(spanId);
  });

  it('that fails has its error', async () => {
    const traces = register();
    const { publisher } = await start();
    await expect(publisher.publish('order.placed', {}, { priority: 101 })).rejects.toThrow('priority');
    const { status, attributes, events } = traces.only('publish order.placed');
    expect(status).toMatchObject({
      code: SpanStatusCode.ERROR,
      message: expect.stringContaining('priority') as string,
    });
    expect(attributes).toMatchObject({ 'error.type': 'InvalidEventError' });
    expect(events).toMatchObject([{ name: 'exception', attributes: { 'exception.type': 'InvalidEventError' } }]);
  });

  it('keeps the trace that its caller forwards in headers, whole', async () => {
    register();
    const { publisher, inbox } = await start();
    const headers = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    const baggage = propagation.createBaggage({ tenant: { value: 'acme' } });
    const { id } = await context.with(propagation.setBaggage(context.active(), baggage), () =>
      publisher.publish('order.placed', {}, { headers }),
    );
    expect((await inbox.get(id))?.headers).toEqual(headers);
  });
});

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

describe('correlation', () => {
  it('goes from an event to all that go back to it, without any SDK; causation is one step', async () => {
    const { kit, publisher, inbox, orders } = await start();
    orders.work = async () => {
      await publisher.publish('mail.due', {});
      await publisher.publishAll([{ event: 'mail.due', payload: {} }]);
      await publisher.publish('mail.due', {}, { headers: { 'correlation-id': 'mine' } });
      await publisher.publish('mail.due', {}, { headers: { 'causation-id': 'mine' } });
    };
    const first = await publisher.publish('order.placed', {});
    const second = await publisher.publish('order.placed', {}, { headers: { 'correlation-id': 'request-1' } });
    await kit.drain();
    const root = await inbox.get(first.id);
    expect([root?.correlationId, root?.causationId, root?.headers]).toEqual([undefined, undefined, {}]);
    const ids = orders.mails.map(({ correlationId, causationId }) => `${correlationId} by ${causationId}`);
    const of = (correlation: string, { id }: { id: string }) => [
      `${correlation} by ${id}`,
      `${correlation} by ${id}`,
      `mine by ${id}`,
      `${correlation} by mine`,
    ];
    expect(ids.toSorted(byText)).toEqual([...of(first.id, first), ...of('request-1', second)].toSorted(byText));
    expect(orders.mails[0].headers).toEqual({ 'correlation-id': first.id, 'causation-id': first.id });
  });

  it('also comes from direct calls, and does not stay behind', async () => {
    const { app, publisher, inbox, orders } = await start();
    orders.work = async () => {
      await publisher.publish('mail.due', {}, { id: 'm-1' });
    };
    await app.get(EventInvoker).invoke('orders', 'order.placed', {}, { id: 'o-1' });
    await publisher.publish('mail.due', {}, { id: 'm-2' });
    const mails = [await inbox.get('m-1'), await inbox.get('m-2')];
    expect(mails.map((mail) => [mail?.correlationId, mail?.causationId])).toEqual([
      ['o-1', 'o-1'],
      [undefined, undefined],
    ]);
  });
});

describe('without spans', () => {
  it('nothing is stored with an event when no SDK is registered', async () => {
    const { kit, publisher, inbox } = await start();
    const { id } = await publisher.publish('order.placed', {});
    await kit.drain();
    expect((await inbox.get(id))?.headers).toEqual({});
    kit.expectOutcome('orders', { outcome: 'completed' });
  });

  it('an unsampled trace is handed on, and no failure names it', async () => {
    const traces = register({ sampler: new AlwaysOffSampler() });
    const { kit, publisher, inbox, orders } = await start();
    orders.work = (_event, { attempt }) => {
      if (attempt === 1) throw new Error('down');
    };
    const { id } = await publisher.publish('order.placed', {});
    await kit.drain({ advance: true });
    expect((await inbox.get(id))?.headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    const [{ failures }] = await inbox.deliveries(id);
    expect(failures.map((failure) => 'trace' in failure)).toEqual([false]);
    expect(traces.spans).toEqual([]);
  });

  it('a sampler or a processor that throws changes nothing, and is said once', async () => {
    const said: string[] = [];
    for (const parts of [{ sampler: brokenSampler }, { processors: [brokenProcessor] }]) {
      const traces = register(parts);
      const { kit, log, publisher } = await start();
      await publisher.publish('order.placed', {});
      await publisher.publishAll([{ event: 'mail.due', payload: {} }]);
      await kit.drain();
      kit.expectOutcome('orders', { outcome: 'completed', attempts: 1 });
      kit.expectOutcome('mails', { outcome: 'completed', attempts: 1 });
      said.push(...log.matching(/tracing failed/));
      traces.close();
    }
    expect(said).toEqual(['error: tracing failed (said once)']);
  });
});

const byText = (a: string, b: string) => a.localeCompare(b);

const fail = () => {
  throw new Error('broken');
};
const brokenSampler: Sampler = { shouldSample: fail };
const brokenProcessor: SpanProcessor = {
  onStart: fail,
  onEnd: fail,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};
