import { ConsoleSpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';

/**
 * Registers an OpenTelemetry SDK that prints each span as it ends. The events module finds it by itself, through the API; in
 * production a BatchSpanProcessor with an OTLP exporter is in its place.
 */
export function printTraces(): void {
  const spanProcessors = [new SimpleSpanProcessor(new ConsoleSpanExporter())];
  new NodeTracerProvider({ spanProcessors }).register();
}
