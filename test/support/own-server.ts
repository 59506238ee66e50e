import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DatabaseKind, mariadbAt, postgresAt, problemOf } from './database-kinds.js';

export type ServerName = 'postgres' | 'mariadb';

const UP_WITHIN_MS = 60_000;

interface Recipe {
  /** Of the operating system, when root starts it: these servers refuse to be root. */
  readonly user: string;
  /** Where its programs may be, besides PATH. */
  readonly folders: () => string[];
  readonly create: (folder: string) => [program: string, ...args: string[]];
  readonly serve: (folder: string, port: number) => [program: string, ...args: string[]];
  /** What makes it crash: nothing is finished, nothing is written down. */
  readonly crash: NodeJS.Signals;
  readonly url: (port: number) => string;
  readonly kindAt: (url: string) => DatabaseKind;
}

const RECIPES: Readonly<Record<ServerName, Recipe>> = {
  postgres: {
    user: 'postgres',
    folders: () => versionFolders('/usr/lib/postgresql'),
    create: (folder) => ['initdb', '-D', join(folder, 'data'), '-U', 'postgres', '-A', 'trust', '--no-sync'],
    serve: (folder, port) => [
      'postgres',
      '-D',
      join(folder, 'data'),
      `--port=${port}`,
      '--listen_addresses=127.0.0.1',
      `--unix_socket_directories=${folder}`,
    ],
    // An immediate shutdown; after SIGKILL its children would be left behind for a while.
    crash: 'SIGQUIT',
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    kindAt: postgresAt,
  },
  mariadb: {
    user: 'mysql',
    folders: () => ['/usr/sbin'],
    create: (folder) => [
      'mariadb-install-db',
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      '--auth-root-authentication-method=normal',
    ],
    serve: (folder, port) => [
      'mariadbd',
      '--no-defaults',
      `--datadir=${join(folder, 'data')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(folder, 'socket')}`,
    ],
    crash: 'SIGKILL',
    url: (port) => `mysql://root@127.0.0.1:${port}/mysql`,
    kindAt: mariadbAt,
  },
};

/** A database server that belongs to one test, which may crash it. */
export class OwnServer {
  private process: ChildProcess | undefined;

  private constructor(
    private readonly recipe: Recipe,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  /** @throws Error when its programs are not installed, or it does not come up. */
  static async start(name: ServerName): Promise<OwnServer> {
    const recipe = RECIPES[name];
    const folder = mkdtempSync(join(tmpdir(), `durable-events-${name}-`));
    const server = new OwnServer(recipe, folder, await freePort());
    try {
      const owner = ownerOf(recipe.user);
      if (owner) chownSync(folder, owner.uid, owner.gid);
      const [program, ...args] = recipe.create(folder);
      execFileSync(server.find(program), args, { ...owner, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
      await server.serve();
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  get kind(): DatabaseKind {
    return this.recipe.kindAt(this.url);
  }

  /** Crashes it, and has it recover after so long. */
  async restart(downMs: number): Promise<void> {
    await this.end(this.recipe.crash);
    await sleep(downMs);
    await this.serve();
  }

  /** Ends it; nothing is left of it. */
  async stop(): Promise<void> {
    await this.end(this.recipe.crash);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** At once; for a process that is about to exit. */
  kill(): void {
    this.process?.kill(this.recipe.crash);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get url(): string {
    return this.recipe.url(this.port);
  }

  private async serve(): Promise<void> {
    const [program, ...args] = this.recipe.serve(this.folder, this.port);
    const log = openSync(this.logFile, 'a');
    const options = { ...ownerOf(this.recipe.user), cwd: this.folder };
    const child = spawn(this.find(program), args, { ...options, stdio: ['ignore', log, log] });
    closeSync(log);
    this.process = child;
    const deadline = performance.now() + UP_WITHIN_MS;
    for (let problem; (problem = await problemOf(this.url)) !== undefined; await sleep(50)) {
      if (child.exitCode === null && child.signalCode === null && performance.now() < deadline) continue;
      throw new Error(`${program} does not come up: ${problem}\n${readFileSync(this.logFile, 'utf8').slice(-2_000)}`);
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const { process: child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  private get logFile(): string {
    return join(this.folder, 'log');
  }

  private find(program: string): string {
    const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...this.recipe.folders()];
    const found = folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
    if (found === undefined) throw new Error(`--server own needs ${program}, which is not in ${folders.join(', ')}`);
    return found;
  }
}

/** Newest first. */
function versionFolders(parent: string): string[] {
  if (!existsSync(parent)) return [];
  const versions = readdirSync(parent).toSorted((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(parent, version, 'bin'));
}

function ownerOf(user: string): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync('id', [flag, user], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}
