import { tracingChannel } from 'node:diagnostics_channel';
import { context } from '@opentelemetry/api';
import type { EventTracing } from '../observability/tracing/event-tracing.js';
import type { AttemptFailure } from '../store/records.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';

/** Every attempt, from its first link to its last, for whoever subscribes: `{ invocation }`. Free when nobody does. */
const attempts = tracingChannel<Attempt, { invocation: Attempt }>('nestjs-durable-events:attempt');

/**
 * The outermost link: everything that an attempt does happens inside its trace. Its span ends where its outcome is
 * decided, outside of the chain.
 */
export class TracingMiddleware implements ChainLink {
  readonly name = 'tracing';

  /** @param failures of the attempts before this one, in their order. */
  constructor(
    private readonly tracing: EventTracing,
    private readonly failures: (attempt: Attempt) => Promise<readonly AttemptFailure[]>,
  ) {}

  invoke(attempt: Attempt, next: Next): Promise<void> {
    const told = attempts.hasSubscribers ? () => attempts.tracePromise(next, { invocation: attempt }) : next;
    const trace = this.tracing.startAttempt(attempt);
    if (!trace) return told();
    attempt.span = trace.span;
    // Claims do not bring the failures along: only an attempt whose span is kept asks for them.
    if (trace.span && attempt.attempt > 1) trace.span.linkTo(this.previous(attempt));
    return context.with(trace.context, told);
  }

  /** The traceparent of the last attempt before this one that had a span. */
  private async previous(attempt: Attempt): Promise<string | undefined> {
    return (await this.failures(attempt)).findLast(({ trace }) => trace !== undefined)?.trace;
  }
}
