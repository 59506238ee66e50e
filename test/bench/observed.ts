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
 * sampled; in turn, the median of each.
 */
export async function observed(db: string, events: number): Promise<Figures> {
  const plain: DrainFigures[] = [];
  const metered: DrainFigures[] = [];
  const traced: DrainFigures[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    plain.push(await drain(db, events));
    metered.push(await drain(db, events, { metrics: true }));
    traced.push(await sampled(() => drain(db, events, { metrics: true })));
  }
  const figures: Record<string, number> = {};
  for (const name of SHOWN) {
    const median = (all: readonly DrainFigures[]) =>
      all.map((one) => one[name]).toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
    figures[name] = median(plain);
    figures[`${name} metrics`] = round(median(metered) / median(plain));
    figures[`${name} metrics and traces`] = round(median(traced) / median(plain));
  }
  return { ...figures, exact: [...plain, ...metered, ...traced].every(({ exact }) => exact) };
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
