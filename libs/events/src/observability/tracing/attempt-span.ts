import { type Span, SpanStatusCode } from '@opentelemetry/api';
import { describeError } from '../../dispatch/failure-record.js';
import type { Outcome } from '../../dispatch/outcome.js';
import { guardTracing } from './guard-tracing.js';
import { ATTRIBUTES } from './span-attributes.js';
import { parseTraceparent, toTraceparent } from './traceparent.js';

/** The span of an attempt that somebody keeps. */
export class AttemptSpan {
  /** Settled once the previous attempt is linked, or known to be unknown. */
  private linked: Promise<void> | undefined;

  constructor(private readonly span: Span) {}

  /** For the record of the attempt, if it fails. */
  get traceparent(): string | undefined {
    return guardTracing(() => toTraceparent(this.span.spanContext()));
  }

  /** Links the attempt before this one once it is known. The handler does not wait for that, only the span's end does. */
  linkTo(previous: Promise<string | undefined>): void {
    const link = (traceparent: string | undefined) => {
      const context = traceparent === undefined ? undefined : parseTraceparent(traceparent);
      if (context) guardTracing(() => this.span.addLink({ context }));
    };
    // The database may be away: then there is one link less.
    this.linked = previous.then(link, () => {});
  }

  /** Ends it as what the attempt came to. @param error what the chain threw, if it threw. Never throws. */
  end(outcome: Outcome, error: { readonly thrown: unknown } | undefined): void {
    guardTracing(() => this.tell(outcome, error));
    if (!this.linked) {
      guardTracing(() => this.span.end());
      return;
    }
    // By the SDK's clock, in which the span began.
    const endedAt = performance.now();
    void this.linked.then(() => guardTracing(() => this.span.end(endedAt)));
  }

  private tell(outcome: Outcome, error: { readonly thrown: unknown } | undefined): void {
    const { span } = this;
    span.setAttribute(ATTRIBUTES.outcome, nameOf(outcome));
    if (outcome.outcome === 'dead') span.setAttribute(ATTRIBUTES.deadReason, outcome.reason);
    if (outcome.outcome === 'retry' || outcome.outcome === 'dead') {
      const { failure } = outcome;
      if (!failure) return;
      span.recordException(failure);
      span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message });
      span.setAttribute(ATTRIBUTES.errorType, failure.name);
    } else if (outcome.outcome === 'written' && error) {
      // After its transaction had committed: an error to look at, but the attempt has succeeded.
      span.recordException(describeError(error.thrown));
    }
  }
}

/** In the words of the README's table. */
function nameOf({ outcome }: Outcome): string {
  if (outcome === 'written') return 'completed';
  return outcome === 'gone' ? 'cancelled' : outcome;
}
