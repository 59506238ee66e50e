import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  type Attributes,
  type Context,
  context,
  isSpanContextValid,
  propagation,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  trace,
  TraceFlags,
  type Tracer,
  type TracerProvider,
} from '@opentelemetry/api';
import { Clock } from '../../clock/clock.js';
import type { EventMessage } from '../../envelope/event-message.js';
import { EVENTS_OPTIONS } from '../../events.module-definition.js';
import type { ResolvedEventsOptions } from '../../events.options.interface.js';
import type { Attempt } from '../../invoke/attempt.js';
import { guardTracing } from './guard-tracing.js';
import { AttemptSpan } from './attempt-span.js';
import { PublishSpan } from './publish-span.js';
import { ATTRIBUTES, SYSTEM } from './span-attributes.js';

/** What a publish stores with its events. */
export interface PublishTrace {
  readonly context: Context;
  /** Undefined when nobody keeps it. */
  readonly span: PublishSpan | undefined;
}

/** Where an attempt runs. */
export interface AttemptTrace {
  readonly context: Context;
  /** Undefined when nobody keeps it. */
  readonly span: AttemptSpan | undefined;
}

/** Headers of W3C Trace Context. */
const TRACE_CONTEXT: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

/** What the API answers while no SDK has registered itself. */
const NO_PROVIDER = new ProxyTracerProvider().getDelegate();

/**
 * Spans of publishes and attempts, and the headers that connect them, through OpenTelemetry's API. Which SDK keeps them
 * is the application's choice; while there is none, this does nothing. No method throws.
 */
@Injectable()
export class EventTracing {
  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: Pick<ResolvedEventsOptions, 'tracing'>,
    private readonly clock: Clock,
  ) {}

  /** Undefined while there is no tracer. @param types of its events. @param batchCount of `publishAll`. */
  startPublish(types: Iterable<string>, batchCount?: number): PublishTrace | undefined {
    return hasTracer() ? guardTracing(() => startPublish(types, batchCount)) : undefined;
  }

  /** Undefined while there is nothing that could keep a span or carry a context. */
  startAttempt(attempt: Attempt): AttemptTrace | undefined {
    const isTraced = hasTracer();
    if (!isTraced && !hasPropagator()) return undefined;
    return guardTracing(() => {
      if (!isTraced || this.options.tracing.parent === 'parent')
        return this.startInside(contextOf(attempt.event), attempt);
      const span = startSpan(attempt, ROOT_CONTEXT);
      // Most spans are not kept as a rule: what then nobody would see is not read from the headers.
      if (!span.isRecording() && !carriesMore(attempt))
        return { context: trace.setSpan(ROOT_CONTEXT, span), span: undefined };
      const publisher = contextOf(attempt.event);
      const publish = trace.getSpanContext(publisher);
      if (publish) span.addLink({ context: publish });
      return { context: trace.setSpan(publisher, span), span: this.describe(span, attempt) };
    });
  }

  /** Goes on with the publisher's trace; without a tracer that only travels on. */
  private startInside(publisher: Context, attempt: Attempt): AttemptTrace {
    const span = startSpan(attempt, publisher);
    if (!isSpanContextValid(span.spanContext())) return { context: publisher, span: undefined };
    return { context: trace.setSpan(publisher, span), span: this.describe(span, attempt) };
  }

  /**
   * The headers by which handlers find this context: traceparent, tracestate and baggage, as the propagator has it. A trace
   * that nobody keeps is left out, unless attempts go on with it: there would be nothing to link to, and it would cost
   * each event a hundred bytes.
   */
  headers(from = context.active()): Record<string, string> {
    const carrier: Record<string, string> = {};
    if (hasPropagator()) guardTracing(() => propagation.inject(this.worthKeeping(from), carrier));
    return carrier;
  }

  private worthKeeping(from: Context): Context {
    const span = trace.getSpanContext(from);
    const isKept = !span || (span.traceFlags & TraceFlags.SAMPLED) !== 0;
    return isKept || this.options.tracing.parent === 'parent' ? from : trace.deleteSpan(from);
  }

  private describe(span: Span, attempt: Attempt): AttemptSpan | undefined {
    if (!span.isRecording()) return undefined;
    const { event, delivery } = attempt;
    const [correlationId, causationId] = guardTracing(() => [event.correlationId, event.causationId]) ?? [];
    const attributes: Attributes = {
      [ATTRIBUTES.messageId]: event.id,
      [ATTRIBUTES.deliveryId]: String(delivery.id),
      [ATTRIBUTES.attempt]: attempt.attempt,
      [ATTRIBUTES.waitMs]: Math.max(0, this.clock.now() - delivery.dueAt),
      [ATTRIBUTES.correlationId]: correlationId ?? event.id,
    };
    if (causationId !== undefined) attributes[ATTRIBUTES.causationId] = causationId;
    if (event.orderingKey !== undefined) attributes[ATTRIBUTES.orderingKeyHash] = hashOf(event.orderingKey);
    span.setAttributes(attributes);
    return new AttemptSpan(span);
  }
}

/** Asked anew each time, so that an SDK may come late. */
function hasTracer(): boolean {
  return provider() !== NO_PROVIDER;
}

function provider(): TracerProvider {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider ? provider.getDelegate() : provider;
}

function hasPropagator(): boolean {
  return propagation.fields().length > 0;
}

let latest: { readonly of: TracerProvider; readonly tracer: Tracer } | undefined;

/** To ask a provider takes half as long as to start a span that nobody keeps. */
function tracer(): Tracer {
  const of = provider();
  if (latest?.of !== of) latest = { of, tracer: of.getTracer(SYSTEM) };
  return latest.tracer;
}

/** Whether the headers bring more than a trace: baggage, or what only another propagator understands. */
function carriesMore({ delivery }: Attempt): boolean {
  const { headers } = delivery.event;
  return headers !== null && propagation.fields().some((name) => !TRACE_CONTEXT.has(name) && headers.includes(name));
}

function startSpan({ event, handler }: Attempt, parent: Context): Span {
  return tracer().startSpan(
    `process ${event.type} ${handler.name}`,
    {
      kind: SpanKind.CONSUMER,
      // What samplers decide by; the rest is only for spans that are kept.
      attributes: {
        [ATTRIBUTES.system]: SYSTEM,
        [ATTRIBUTES.operationType]: 'process',
        [ATTRIBUTES.operationName]: 'process',
        [ATTRIBUTES.destination]: event.type,
        [ATTRIBUTES.handler]: handler.name,
      },
    },
    parent,
  );
}

function startPublish(types: Iterable<string>, batchCount: number | undefined): PublishTrace {
  const [type, ...others] = new Set(types);
  const isOfOne = others.length === 0 && typeof type === 'string';
  const span = tracer().startSpan(isOfOne ? `publish ${type}` : 'publish', {
    kind: SpanKind.PRODUCER,
    attributes: {
      [ATTRIBUTES.system]: SYSTEM,
      [ATTRIBUTES.operationType]: 'send',
      [ATTRIBUTES.operationName]: 'publish',
      ...(isOfOne && { [ATTRIBUTES.destination]: type }),
      ...(batchCount !== undefined && { [ATTRIBUTES.batchCount]: batchCount }),
    },
  });
  const inside = trace.setSpan(context.active(), span);
  return { context: inside, span: span.isRecording() ? new PublishSpan(span, inside) : undefined };
}

/** What the publisher sent along. Of headers that are none, as another program may have stored them, nothing. */
function contextOf(event: EventMessage): Context {
  if (!hasPropagator()) return ROOT_CONTEXT;
  return guardTracing(() => propagation.extract(ROOT_CONTEXT, event.headers)) ?? ROOT_CONTEXT;
}

function hashOf(orderingKey: string): string {
  return createHash('sha256').update(orderingKey).digest('hex').slice(0, 16);
}
