import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

/** Runs once before the specs that start processes of their own: compiles `*.worker.ts` to dist/test. */
export default function buildWorkers(): void {
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'test/tsconfig.json'], { stdio: 'inherit' });
}
