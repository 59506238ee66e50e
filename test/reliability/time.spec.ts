/** Clocks that are minutes off, and clocks that jump: only what is scheduled for a time may notice. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { databaseKinds } from '../support/database-kinds.js';
import { events, SturdyScene } from '../support/sturdy-scene.js';

/** Long enough for a server that is busy with other tests for some seconds. */
const LEASE_MS = 12_000;
const MINUTES = 60_000;
const SLACK_MS = 60_000;
const RETRY = 500;
const LONG = 1_000;

const servers = databaseKinds.filter(({ name }) => name !== 'sqlite');

function options(initialDelay: number) {
  const retry = { initialDelay, maxDelay: '1h', backoff: 'fixed', jitter: 'none' } as const;
  return {
    events: { lease: `${LEASE_MS}ms`, shutdownTimeout: '3s', pollInterval: '200ms' },
    handler: { concurrency: 20, circuit: false, timeout: '5m', retry },
  } as const;
}

/** Long enough for every node to find out that another one has not beaten for a lease, if it thinks so. */
async function twoLeases({ work }: SturdyScene): Promise<void> {
  const beats = () => work.rows<{ id: string; beat: string | number }>('select id, beat from event_node order by id');
  const before = await beats();
  await sleep(2 * LEASE_MS);
  const after = await beats();
  expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  for (const [index, { beat }] of after.entries()) expect(Number(beat)).toBeGreaterThan(Number(before[index].beat));
}

function expectNobodyWasMissed({ nodes }: SturdyScene): void {
  for (const node of nodes) expect(node.log).not.toMatch(/declared dead|rescued|aborted/);
}

async function expectNothingCharged({ work, runs }: SturdyScene, deliveries: number): Promise<void> {
  expect(await work.count('event_completion')).toBe(deliveries);
  expect(await work.count(`event_completion where attempts > 1`)).toBe(1);
  expect(await work.count('event_dead_letter')).toBe(0);
  expect(runs.overlapping()).toEqual([]);
}

describe.concurrent.each(servers)('two nodes whose clocks are 5 minutes fast and 5 minutes slow, on $name', (kind) => {
  it('agree on what is due, and on who lives', async () => {
    await SturdyScene.run(kind, async (scene) => {
      const { work, runs, nodes } = scene;
      const delayMs = 1_500;
      const startedAt = Date.now();
      for (const skewMs of [5 * MINUTES, -5 * MINUTES]) {
        await scene.start(scene.config({ ...options(delayMs), skewMs }));
      }
      for (const [index, node] of nodes.entries()) {
        const mix = [
          ...events(100 * index, 100 * index + 100, 'effect'),
          ...events(RETRY + index, RETRY + index + 1, 'fail-once'),
        ];
        expect(await node.call('publish', mix)).toMatchObject({ result: 'stored' });
      }
      await nodes[0].call('publish', events(LONG, LONG + 1, 'wait'));
      for (const n of [RETRY, RETRY + 1]) {
        const failed = await runs.until('fails', n);
        const ended = await runs.until('ends', n, SLACK_MS);
        // A measured offset is half a round trip off at worst.
        expect(ended.at - failed.at).toBeGreaterThan(delayMs - 500);
      }
      await twoLeases(scene);
      expectNobodyWasMissed(scene);
      await scene.letGo();
      await scene.drained();
      expect(await scene.effects()).toBe(200);
      expect(await work.count('event_completion where attempts > 2')).toBe(0);
      expect(runs.overlapping()).toEqual([]);
      // Whoever writes a time writes the database's.
      const rows = await work.rows<{ at: string }>(
        'select finished_at as at from event_completion union all select received_at from event_inbox',
      );
      const times = rows.map(({ at }) => Number(at));
      expect(Math.min(...times)).toBeGreaterThan(startedAt - 2_000);
      expect(Math.max(...times)).toBeLessThan(Date.now() + 2_000);
    });
  });
});

/** The function of that name that is found first is this one. */
const TIME_MACHINE = [
  'create table time_machine (ms integer not null)',
  'insert into time_machine values (0)',
  `create function clock_timestamp() returns timestamptz language sql volatile as
    $$ select pg_catalog.clock_timestamp() + ms * interval '1 ms' from time_machine $$`,
  `do $$ begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$`,
];

const onPostgres = servers.filter(({ name }) => name === 'postgres');

describe.concurrent.each(onPostgres)('a database whose clock jumps, on $name', (kind) => {
  it.each([
    ['forward, and back', 10 * MINUTES],
    ['back, and forward', -10 * MINUTES],
  ])('%s: kills nobody, stops nothing, and only moves what is scheduled', async (_, ms) => {
    await SturdyScene.run(kind, async (scene) => {
      const { work, runs } = scene;
      for (const sql of TIME_MACHINE) await work.rows(sql);
      const jump = (by: number) => work.rows(`update time_machine set ms = ${by}`);
      const [first, second] = [
        await scene.start(scene.config(options(5 * MINUTES))),
        await scene.start(scene.config(options(5 * MINUTES))),
      ];
      await first.call('publish', [
        ...events(0, 50, 'effect'),
        ...events(RETRY, RETRY + 1, 'fail-once'),
        ...events(LONG, LONG + 1, 'wait'),
      ]);
      await runs.until('fails', RETRY);
      await runs.until('begins', LONG);

      await jump(ms);
      await twoLeases(scene);
      expectNobodyWasMissed(scene);
      await second.call('publish', events(100, 150, 'effect'));
      await work.until('effects', (count) => count === 100);
      // Its 5 minutes have passed by the database's clock, or have not.
      expect(runs.lines('ends', RETRY)).toHaveLength(ms > 0 ? 1 : 0);

      await jump(ms > 0 ? 0 : 10 * MINUTES);
      await runs.until('ends', RETRY, SLACK_MS);
      await twoLeases(scene);
      expectNobodyWasMissed(scene);
      await first.call('publish', events(200, 250, 'effect'));
      expect(runs.lines('is aborted')).toEqual([]);
      await scene.letGo();
      await scene.drained();
      expect(await scene.effects()).toBe(150);
      await expectNothingCharged(scene, 152);
    });
  });
});
