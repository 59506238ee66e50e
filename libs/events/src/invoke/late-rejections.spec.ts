/**
 * Scope: what a promise that nobody waits for does to the process, hence in processes of their own: the class is compiled
 * into a file that they import.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'late-rejections-'));
  const source = await readFile(new URL('./late-rejections.ts', import.meta.url), 'utf8');
  const compilerOptions = { module: ModuleKind.ESNext, target: ScriptTarget.ES2023 };
  await writeFile(join(folder, 'late-rejections.mjs'), transpileModule(source, { compilerOptions }).outputText);
});

afterAll(() => rm(folder, { recursive: true }));

const PRELUDE = `
import { AsyncLocalStorage } from 'node:async_hooks';
import { LateRejections } from './late-rejections.mjs';
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const scope = new AsyncLocalStorage();
const late = new LateRejections(scope, (attempt, reason) => console.log(attempt + ': ' + reason));
`;
/** A handler that returns, and leaves a promise behind that is rejected when its attempt has ended. */
const HANDLER = `
await scope.run('attempt 1', async () => {
  void later(5).then(() => { throw new Error('left behind'); });
});
`;
const ELSEWHERE = `void later(5).then(() => { throw new Error('elsewhere'); });`;
const SURVIVED = `await later(50); console.log('survived');`;

interface Ended {
  readonly code: number;
  readonly lines: string[];
  readonly complaint: string;
}

/** Runs a program to its end. */
async function run(program: string, ...flags: string[]): Promise<Ended> {
  const file = join(folder, `${Math.random()}.mjs`);
  await writeFile(file, PRELUDE + program);
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, file], { env: { NODE_OPTIONS: '' } }, (error, stdout, stderr) => {
      const code = error ? Number(error.code) : 0;
      resolve({ code, lines: stdout.trim().split('\n').filter(Boolean), complaint: stderr });
    });
  });
}

describe('a promise that a handler has left behind and that is rejected', () => {
  it('is told as the attempt’s, and the process lives on', async () => {
    const { code, lines } = await run(`late.start(); ${HANDLER} ${SURVIVED}`);
    expect({ code, lines }).toEqual({ code: 0, lines: ['attempt 1: Error: left behind', 'survived'] });
  });

  it('ends the process as ever when nobody listens, before start and after stop', async () => {
    const never = await run(`${HANDLER} ${SURVIVED}`);
    const stopped = await run(`late.start(); late.stop(); ${HANDLER} ${SURVIVED}`);
    for (const { code, lines, complaint } of [never, stopped]) {
      expect({ code, lines }).toEqual({ code: 1, lines: [] });
      expect(complaint).toContain('left behind');
    }
  });

  it('is told apart by attempt, however many run at once', async () => {
    const { lines } = await run(`
      late.start();
      for (const n of [1, 2, 3]) scope.run('attempt ' + n, () => { void later(20 - n * 5).then(() => Promise.reject(n)); });
      ${SURVIVED}
    `);
    expect(lines).toEqual(['attempt 3: 3', 'attempt 2: 2', 'attempt 1: 1', 'survived']);
  });
});

describe('a rejection that comes from elsewhere', () => {
  it('ends the process, with the exit code and the complaint that it has without this', async () => {
    const usual = await run(`${ELSEWHERE} ${SURVIVED}`);
    const { code, lines, complaint } = await run(`late.start(); ${ELSEWHERE} ${SURVIVED}`);
    expect({ code, lines }).toEqual({ code: usual.code, lines: [] });
    expect(code).toBe(1);
    for (const text of [usual.complaint, complaint]) expect(text).toContain('Error: elsewhere');
  });

  it('is left to the application when that listens itself', async () => {
    const { code, lines } = await run(`
      process.on('unhandledRejection', (reason) => console.log('the application: ' + reason));
      late.start();
      ${ELSEWHERE} ${SURVIVED}
    `);
    expect({ code, lines }).toEqual({ code: 0, lines: ['the application: Error: elsewhere', 'survived'] });
  });

  it.each(['warn', 'none'])(
    'is survived where the process was started with --unhandled-rejections=%s',
    async (mode) => {
      const flag = `--unhandled-rejections=${mode}`;
      const { code, lines } = await run(`late.start(); ${ELSEWHERE} ${SURVIVED}`, flag);
      expect({ code, lines }).toEqual({ code: 0, lines: ['survived'] });
    },
  );
});
