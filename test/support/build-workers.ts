import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

/** Runs once before the specs that start processes of their own: makes dist/test/workers of `*.worker.ts`. */
export default function buildWorkers(): void {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'test/tsconfig.json'], { stdio: 'inherit' });
  execFileSync(process.execPath, ['dist/test/test/support/bundle-workers.js'], { stdio: 'inherit' });
}
