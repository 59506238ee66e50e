/**
 * Makes one file of each compiled `*.worker.js`, with all it imports. Most of a worker's start is looking for some 1,500
 * files: bundled it takes a fifth of the CPU, and the tests start hundreds.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { rolldown } from 'rolldown';

const COMPILED = 'dist/test/test';
const WORKERS = 'dist/test/workers';

const workers = readdirSync(COMPILED, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.worker.js'),
);
const require = createRequire(import.meta.url);

/** Drivers that TypeORM could use, and parts that Nest could, but which are not here. */
function isMissing(id: string): boolean {
  if (id.startsWith('.') || id.startsWith('/')) return false;
  try {
    require.resolve(id);
    return false;
  } catch {
    return true;
  }
}

const bundle = await rolldown({
  input: Object.fromEntries(workers.map((file) => [basename(file, '.js'), join(COMPILED, file)])),
  platform: 'node',
  // It finds its native part by where its own files are.
  external: (id) => id === 'better-sqlite3' || isMissing(id),
  logLevel: 'silent',
});
await bundle.write({ dir: WORKERS, format: 'esm', sourcemap: true, cleanDir: true });
