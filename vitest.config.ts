import { defineConfig } from 'vitest/config';

/** Compiles and bundles the processes that these specs start. */
const WORKERS = ['./test/support/build-workers.ts'];

const CHAOS = 'test/reliability/chaos.spec.ts';

/**
 * `unit`: pure specs beside their source. The other projects cross folders and live in `test/`;
 * each file there makes and drops its own databases, so the files may run side by side.
 * @param groupOrder groups run one after the other: what needs the CPU, what waits for processes and clocks, chaos.
 */
const project = (name: string, include: string[], timeout: number, groupOrder: number) => ({
  extends: true as const,
  test: {
    name,
    include,
    exclude: name === 'chaos' ? [] : [CHAOS],
    testTimeout: timeout,
    hookTimeout: timeout,
    globalSetup: groupOrder > 0 ? WORKERS : [],
    // Pure specs leave nothing behind; importing anew for each takes longer than running it.
    isolate: name !== 'unit',
    // A server has 100 connections.
    maxConcurrency: 4,
    // Those of the second group start several processes each.
    maxWorkers: groupOrder === 0 ? 3 : 2,
    sequence: { groupOrder },
  },
});

export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: {
    pool: 'forks',
    projects: [
      project('unit', ['libs/**/*.spec.ts', 'apps/**/*.spec.ts'], 10_000, 0),
      project('contract', ['test/contract/**/*.spec.ts'], 60_000, 0),
      project('flow', ['test/flow/**/*.spec.ts'], 60_000, 0),
      project('races', ['test/races/**/*.spec.ts'], 120_000, 1),
      project('reliability', ['test/reliability/**/*.spec.ts'], 180_000, 1),
      project('chaos', [CHAOS], 300_000, 2),
    ],
  },
});
