import { type Context, context, type Span, SpanStatusCode } from '@opentelemetry/api';
import { describeError } from '../../dispatch/failure-record.js';
import type { PublishReceipt } from '../../publish/publish.types.js';
import { guardTracing } from './guard-tracing.js';
import { ATTRIBUTES } from './span-attributes.js';

/** The span of one call of `publish` or `publishAll` that somebody keeps. */
export class PublishSpan {
  constructor(
    private readonly span: Span,
    /** The span's own. */
    private readonly context: Context,
  ) {}

  /** Publishes inside of the span, and ends it. */
  async run(publish: () => Promise<PublishReceipt[]>): Promise<PublishReceipt[]> {
    try {
      const receipts = await context.with(this.context, publish);
      guardTracing(() => this.tell(receipts));
      return receipts;
    } catch (error) {
      guardTracing(() => this.fail(error));
      throw error;
    } finally {
      guardTracing(() => this.span.end());
    }
  }

  private tell(receipts: readonly PublishReceipt[]): void {
    if (receipts.length !== 1) return;
    const [{ id, duplicate }] = receipts;
    this.span.setAttribute(ATTRIBUTES.messageId, id);
    if (duplicate) this.span.setAttribute(ATTRIBUTES.duplicate, true);
  }

  private fail(thrown: unknown): void {
    const error = describeError(thrown);
    this.span.recordException(error);
    this.span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    this.span.setAttribute(ATTRIBUTES.errorType, error.name);
  }
}
