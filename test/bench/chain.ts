import type { OnEventOptions } from '../../libs/events/src/index.js';
import { benchApp, publishMany, timed, round } from './bench-app.js';
import { until } from './until.js';

const ROUNDS = 3;

/** Limits that nobody meets: what is measured is the asking. */
const ALL: OnEventOptions = {
  rateLimit: { limit: 1_000_000, period: '1s' },
  idempotency: { key: (event: { id: string }) => event.id },
  timeout: '30s',
};
const NONE: OnEventOptions = { circuit: false };

export interface ChainFigures {
  readonly chainOverheadUs: number;
  readonly exact: boolean;
}

/** What all policies cost a delivery: drains of the memory store with and without them, in turn; the least of each. */
export async function chain(events: number): Promise<ChainFigures> {
  let [withAll, withNone] = [Infinity, Infinity];
  let exact = true;
  for (let round = 0; round < ROUNDS; round++) {
    const [all, none] = [await drainUs(events, ALL), await drainUs(events, NONE)];
    withAll = Math.min(withAll, all.us);
    withNone = Math.min(withNone, none.us);
    exact &&= all.exact && none.exact;
  }
  return { chainOverheadUs: round(withAll - withNone), exact };
}

async function drainUs(events: number, options: OnEventOptions): Promise<{ us: number; exact: boolean }> {
  const app = await benchApp({ store: 'memory' }, 1, options);
  try {
    await app.node.pause();
    await publishMany(app, events);
    const completed = () => app.stats.snapshot().total.completed;
    const ms = await timed(async () => {
      await app.node.resume();
      await until('the outcomes', () => completed() >= events);
    });
    return { us: (ms * 1_000) / events, exact: app.runs === events };
  } finally {
    await app.close();
  }
}
