import { randomUUID } from 'node:crypto';
import type { PublishOptions } from '../../libs/events/src/index.js';
import { benchApp, PAYLOAD, perSecond, timed } from './bench-app.js';
import { onDatabase } from './bench-database.js';

const CALLERS = 16;
const ROUNDS = 5;
const KEYS = 1_000;

/** What a publish may bring along. */
const KINDS: Readonly<Record<string, (n: number) => PublishOptions>> = {
  publish1_s: () => ({}),
  publishIds_s: () => ({ id: randomUUID() }),
  publishOrdered_s: (n) => ({ orderingKey: `key-${n % KEYS}` }),
};

/** Publishes awaited one by one by 16 callers: plain ones, with ids, with ordering keys; in turn, the median of each. */
export async function keyed(db: string, events: number): Promise<Record<string, unknown> & { exact: boolean }> {
  return onDatabase(db, async (database) => {
    const app = await benchApp({ dataSource: database.options });
    try {
      await app.node.pause();
      const rates = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, [] as number[]]));
      const each = Math.ceil(events / CALLERS);
      const round = async (optionsOf: (n: number) => PublishOptions) => {
        const caller = async (_: unknown, index: number) => {
          for (let n = 0; n < each; n++)
            await app.publisher.publish('bench.0', PAYLOAD, optionsOf(n * CALLERS + index));
        };
        return perSecond(each * CALLERS, await timed(() => Promise.all(Array.from({ length: CALLERS }, caller))));
      };
      for (let n = 0; n < ROUNDS; n++)
        for (const [kind, optionsOf] of Object.entries(KINDS)) rates[kind].push(await round(optionsOf));
      const medians = Object.entries(rates).map(([kind, all]) => [kind, all.toSorted((a, b) => a - b)[ROUNDS >> 1]]);
      const stored = await database.count('inbox');
      return { ...Object.fromEntries(medians), exact: stored === ROUNDS * Object.keys(KINDS).length * each * CALLERS };
    } finally {
      await app.close();
    }
  });
}
