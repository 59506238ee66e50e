/** Scope: when an attempt's span ends. What is in it: test/flow/tracing.spec.ts. */
import { type Link, ROOT_CONTEXT, type Span, trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';
import { describe, expect, it } from 'vitest';
import { AttemptSpan } from './attempt-span.js';

const PREVIOUS = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const COMPLETED = { outcome: 'completed', attempts: 2, durationMs: 1 } as const;

function setUp() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const span: Span = provider.getTracer('test').startSpan('process', {}, trace.deleteSpan(ROOT_CONTEXT));
  return { span: new AttemptSpan(span), ended: () => exporter.getFinishedSpans() };
}

const linkedTo = (links: readonly Link[]) => links.map(({ context }) => context.spanId);

describe('an attempt’s span', () => {
  it('ends with the attempt', () => {
    const { span, ended } = setUp();
    span.end(COMPLETED, undefined);
    expect(ended()).toMatchObject([{ attributes: { 'events.outcome': 'completed' } }]);
  });

  it('waits for the attempt before it to be known, but takes no longer for that', async () => {
    const { span, ended } = setUp();
    let know!: (traceparent: string) => void;
    span.linkTo(new Promise((resolve) => (know = resolve)));
    span.end(COMPLETED, undefined);
    const endedAt = performance.timeOrigin + performance.now();
    while (performance.timeOrigin + performance.now() < endedAt + 20) await new Promise(setImmediate);
    expect(ended()).toEqual([]);
    know(PREVIOUS);
    await new Promise(setImmediate);
    const [{ endTime, links }] = ended();
    expect(linkedTo(links)).toEqual(['b7ad6b7169203331']);
    expect(endTime[0] * 1_000 + endTime[1] / 1_000_000).toBeLessThan(endedAt + 10);
  });

  it.each<[string, () => Promise<string | undefined>]>([
    ['unknown', () => Promise.resolve(undefined)],
    ['no traceparent', () => Promise.resolve('x')],
    ['not to be had, as the database is away', () => Promise.reject(new Error('away'))],
  ])('ends without a link when that is %s', async (_what, previous) => {
    const { span, ended } = setUp();
    span.linkTo(previous());
    span.end(COMPLETED, undefined);
    await new Promise(setImmediate);
    expect(ended().map(({ links }) => links)).toEqual([[]]);
  });
});
