/** Spans of publishes, as OpenTelemetry's own SDK gets them. */
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { register, start, traceparentOf } from '../support/traced-orders.js';

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
