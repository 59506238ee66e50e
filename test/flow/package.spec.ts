/** The library as users get it: built, packed, installed into an empty ESM and an empty CommonJS application. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');

/** The same program for both module systems; `import` of the one becomes `require` of the other. */
const PROGRAM = `
class Handler {
  seen = [];
  onPaid(event, context) { this.seen.push([event.type, event.payload.amount, context.attempt]); }
}
Injectable()(Handler);
const descriptor = Object.getOwnPropertyDescriptor(Handler.prototype, 'onPaid');
OnEvent('payment.paid')(Handler.prototype, 'onPaid', descriptor);

class AppModule {}
Module({
  imports: [EventsModule.forRoot({ dataSource: { type: 'better-sqlite3', database: 'events.sqlite' } })],
  providers: [Handler],
})(AppModule);

async function main() {
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['warn', 'error'] });
  app.enableShutdownHooks();
  const { id } = await app.get(EventPublisher).publish('payment.paid', { amount: 5 });
  const inbox = app.get(EventInbox);
  const deadline = Date.now() + 10_000;
  while ((await inbox.deliveries(id))[0]?.state !== 'completed') {
    if (Date.now() > deadline) throw new Error('not completed');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  console.log(JSON.stringify(app.get(Handler).seen));
  await app.close();
  await testTheSame();
}

/** On the test kit: what a package needs to be tested with, it must bring along. */
async function testTheSame() {
  class TestedModule {}
  Module({ imports: [EventsTestingModule.forRoot()], providers: [Handler] })(TestedModule);
  const app = await NestFactory.createApplicationContext(TestedModule, { logger: ['error'] });
  const kit = app.get(EventsTestKit);
  await app.get(EventPublisher).publish('payment.paid', { amount: 7 });
  await kit.drain();
  kit.expectPublished('payment.paid', { amount: 7 });
  kit.expectOutcome('Handler.onPaid', { outcome: 'completed', attempts: 1 });
  await app.close();
}
main().catch((error) => { console.error(error); process.exitCode = 1; });
`;

const IMPORTS: readonly (readonly [names: string, from: string])[] = [
  ['{ Injectable, Module }', '@nestjs/common'],
  ['{ NestFactory }', '@nestjs/core'],
  ['{ EventInbox, EventPublisher, EventsModule, OnEvent }', 'nestjs-durable-events'],
  ['{ EventsTestingModule, EventsTestKit, storeContract }', 'nestjs-durable-events/testing'],
];

const esm = ["import 'reflect-metadata';", ...IMPORTS.map(([names, from]) => `import ${names} from '${from}';`)];
const cjs = ["require('reflect-metadata');", ...IMPORTS.map(([names, from]) => `const ${names} = require('${from}');`)];
const CHECK = "if (storeContract.length === 0) throw new Error('./testing is empty');";

describe('the packed library', () => {
  let folder: string;
  let tarball: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'durable-events-pack-'));
    // A build of its own: other specs, and the developer, use dist at the same time.
    const out = join(folder, 'lib');
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, '-p', 'libs/events/tsconfig.lib.json', '--outDir', out], { cwd: ROOT });
    await cp(join(ROOT, 'libs/events/package.json'), join(out, 'package.json'));
    await run('npm', ['pack', '--pack-destination', folder, '--silent'], { cwd: out });
    tarball = join(folder, (await readdir(folder)).find((name) => name.endsWith('.tgz')) ?? '');
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** An application into which npm has installed the tarball, beside the peers that it asks for. */
  async function application(name: string, type: 'module' | 'commonjs', source: string): Promise<string> {
    const app = join(folder, name);
    await mkdir(app, { recursive: true });
    await writeFile(join(app, 'package.json'), JSON.stringify({ name, type, private: true }));
    const flags = ['--legacy-peer-deps', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'];
    await run('npm', ['install', tarball, ...flags], { cwd: app });
    const manifest = JSON.parse(
      await readFile(join(app, 'node_modules/nestjs-durable-events/package.json'), 'utf8'),
    ) as { peerDependencies: Record<string, string> };
    // The peers are linked, since one of them would have to be compiled; what the manifest does not name is not found.
    for (const peer of Object.keys(manifest.peerDependencies)) {
      const link = join(app, 'node_modules', peer);
      await mkdir(join(link, '..'), { recursive: true });
      await symlink(join(ROOT, 'node_modules', peer), link);
    }
    await writeFile(join(app, 'main.js'), source);
    return app;
  }

  it.each([
    ['an empty ESM application', 'module', esm] as const,
    ['an empty CommonJS application', 'commonjs', cjs] as const,
  ])('installs and runs in %s', async (_, type, imports) => {
    const app = await application(`app-${type}`, type, [...imports, CHECK, PROGRAM].join('\n'));
    const { stdout, stderr } = await run(process.execPath, ['main.js'], { cwd: app });
    expect(JSON.parse(stdout)).toEqual([['payment.paid', 5, 1]]);
    // Node 20 says once that require() of ESM is experimental; nothing else may be said.
    expect(
      stderr.split('\n').filter((line) => line !== '' && !/ExperimentalWarning|--trace-warnings/.test(line)),
    ).toEqual([]);
  });

  it('runs the program of the README, until SIGTERM', async () => {
    const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
    const program = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const { outputText } = ts.transpileModule(program, {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
      },
    });
    const app = await application('app-readme', 'module', outputText);
    const child = spawn(process.execPath, ['main.js'], { cwd: app });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const ended = once(child, 'exit');
    await expect.poll(() => printed, { timeout: 20_000 }).toContain('receipt for p-1: 42');
    child.kill('SIGTERM');
    await ended;
    expect(printed).not.toMatch(/WARN|ERROR/);
  });

  it('carries its types, and no tests', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball]);
    const files = stdout.split('\n');
    expect(files).toContain('package/index.d.ts');
    expect(files).toContain('package/testing/index.d.ts');
    expect(files.filter((file) => /spec\.|tsbuildinfo/.test(file))).toEqual([]);
  });
});
