import { context, propagation, trace } from '@opentelemetry/api';
import {
  BatchSpanProcessor,
  InMemorySpanExporter,
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { round } from './bench-app.js';
import { drain, type DrainFigures } from './drain.js';

const ROUNDS = 5;
const SAMPLED = 0.01;
type Figures = Readonly<Record<string, unknown>> & { readonly exact: boolean };

const SHOWN = ['drain_s', 'publish1_s', 'publishBulk_s'] as const;

/**
 * What it costs to be seen: the drain without, with metrics in a Prometheus registry, and with them and 1 % of all traces
 * sampled; in turn, the fastest of each.
 */
export async function observed(db: string, events: number): Promise<Figures> {
  const best = {
    plain: new Map<string, number>(),
    metrics: new Map<string, number>(),
    traced: new Map<string, number>(),
  };
  let exact = true;
  const note = (kind: keyof typeof best, figures: DrainFigures) => {
    for (const name of SHOWN) best[kind].set(name, Math.max(best[kind].get(name) ?? 0, figures[name]));
    exact &&= figures.exact;
  };
  for (let n = 0; n < ROUNDS; n++) {
    note('plain', await drain(db, events));
    note('metrics', await drain(db, events, { metrics: true }));
    note('traced', await sampled(() => drain(db, events, { metrics: true })));
  }
  const figures: Record<string, number> = {};
  for (const name of SHOWN) {
    const plain = best.plain.get(name) ?? NaN;
    figures[name] = plain;
    figures[`${name} metrics`] = round((best.metrics.get(name) ?? NaN) / plain);
    figures[`${name} metrics and traces`] = round((best.traced.get(name) ?? NaN) / plain);
  }
  return { ...figures, exact };
}

async function sampled<T>(work: () => Promise<T>): Promise<T> {
  const provider = new NodeTracerProvider({
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(SAMPLED) }),
    spanProcessors: [new BatchSpanProcessor(new InMemorySpanExporter())],
  });
  provider.register();
  try {
    return await work();
  } finally {
    for (const api of [trace, context, propagation]) api.disable();
    await provider.shutdown();
  }
}
