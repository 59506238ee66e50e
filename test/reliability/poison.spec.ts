/** An event whose handler kills the process, among a thousand others, with real processes that a supervisor restarts. */
import { describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { SupervisedNode } from '../support/supervised-node.js';
import { events, SturdyScene } from '../support/sturdy-scene.js';

const OTHERS = 1_000;
/** So many of them come before it. */
const BEFORE = 100;
const POISON = 5_000;
const MAX_ATTEMPTS = 3;

/** Quick handlers, of which whole batches are claimed ahead. Whoever is restarted on a host rescues what died there. */
const OPTIONS = {
  events: { lease: '20s', shutdownTimeout: '3s', pollInterval: '200ms' },
  handler: { concurrency: 10, circuit: false, retry: { maxAttempts: MAX_ATTEMPTS, initialDelay: 20 } },
} as const;

const POISONS = [
  { act: 'exit', how: 'ends it', execArgv: [] },
  { act: 'eat-memory', how: 'eats all its memory', execArgv: ['--max-old-space-size=96'] },
] as const;

describe.concurrent.each(databaseKinds)('an event that kills the process that handles it, on $name', (kind) => {
  // Out of memory is out of memory, whatever the database.
  it.each(POISONS.slice(0, kind.name === 'postgres' ? 2 : 1))(
    '$how: dies alone, of its own attempts, while the others go on',
    async ({ act, execArgv }) => {
      await SturdyScene.run(kind, async (scene) => {
        const { work, runs } = scene;
        const publisher = await scene.start(
          scene.config({ ...OPTIONS, events: { ...OPTIONS.events, handlers: false } }),
        );
        // A node that has the handlers must have been there, or nothing is delivered.
        const first = await scene.start(scene.config(OPTIONS));
        await first.close();
        const others = events(0, OTHERS, 'effect', 1);
        const poison = events(POISON, POISON + 1, act);
        await publisher.call('publish', [...others.slice(0, BEFORE), ...poison, ...others.slice(BEFORE)]);
        const nodes = [1, 2].map(() => new SupervisedNode(scene.config(OPTIONS), execArgv));
        try {
          await scene.drained(120_000);
        } finally {
          await Promise.all(nodes.map((node) => node.stop()));
        }

        const letters = await work.rows<{ reason: string; attempts: number; crashes: number; errors: string }>(
          'select reason, attempts, crashes, errors from event_dead_letter',
        );
        expect(letters).toMatchObject([{ reason: 'exhausted', attempts: 0, crashes: MAX_ATTEMPTS }]);
        const errors = letters[0].errors
          .split('\n')
          .map((line) => JSON.parse(line) as { name: string; attempt: number });
        expect(errors.map(({ name, attempt }) => [name, attempt])).toEqual([1, 2, 3].map((n) => ['node-lost', n]));
        expect(runs.lines('begins', POISON).map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
        expect(await scene.effects()).toBe(OTHERS);
        expect(await work.count('event_completion')).toBe(OTHERS);
        expect(nodes.flatMap(({ deaths }) => deaths)).toHaveLength(MAX_ATTEMPTS);
        const [firstRun] = runs.lines('begins', POISON);
        expect(runs.lines('ends').filter(({ at }) => at > firstRun.at)).not.toEqual([]);
      });
    },
  );
});
