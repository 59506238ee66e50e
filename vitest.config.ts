import { defineConfig } from 'vitest/config';

/**
 * `unit`: pure specs beside their source. The other projects cross folders and live in `test/`;
 * each file there makes and drops its own databases, so the files may run side by side.
 */
const project = (name: string, include: string[], timeout: number, globalSetup: string[] = []) => ({
  extends: true as const,
  test: { name, include, testTimeout: timeout, hookTimeout: timeout, globalSetup },
});

/** Compiles the processes that these specs start. */
const WORKERS = ['./test/support/build-workers.ts'];

export default defineConfig({
  resolve: { tsconfigPaths: true },
  test: {
    pool: 'forks',
    projects: [
      project('unit', ['libs/**/*.spec.ts', 'apps/**/*.spec.ts'], 10_000),
      project('contract', ['test/contract/**/*.spec.ts'], 60_000),
      project('flow', ['test/flow/**/*.spec.ts'], 60_000),
      project('races', ['test/races/**/*.spec.ts'], 120_000, WORKERS),
      project('reliability', ['test/reliability/**/*.spec.ts'], 180_000, WORKERS),
    ],
  },
});
