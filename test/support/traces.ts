/** OpenTelemetry's SDK with everything that it was handed in memory, for one test. */
import { context, propagation, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';

export class Traces {
  private readonly exporter = new InMemorySpanExporter();

  private constructor() {}

  /** Registers the SDK for the whole process, until `close`. */
  static register({ sampler, processors = [] }: { sampler?: Sampler; processors?: SpanProcessor[] } = {}): Traces {
    const traces = new Traces();
    const spanProcessors = [...processors, new SimpleSpanProcessor(traces.exporter)];
    new NodeTracerProvider({ spanProcessors, ...(sampler && { sampler }) }).register();
    return traces;
  }

  /** Those that have ended. */
  get spans(): ReadableSpan[] {
    return this.exporter.getFinishedSpans();
  }

  named(name: string): ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** @throws Error unless there is exactly one. */
  only(name: string): ReadableSpan {
    const found = this.named(name);
    if (found.length === 1) return found[0];
    throw new Error(`${found.length} spans "${name}" among ${this.spans.map((span) => span.name).join(', ')}`);
  }

  close(): void {
    for (const api of [trace, context, propagation]) api.disable();
  }
}
