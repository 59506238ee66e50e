import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));
const EXIT_WITHIN_MS = 30_000;
const LOG_LINES = 15;

/** The payments service as a process of its own, on a free port and a SQLite file that is deleted afterwards. */
export class ServiceProcess {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
    private readonly directory: string,
  ) {}

  static async start(): Promise<ServiceProcess> {
    const directory = mkdtempSync(join(tmpdir(), 'payments-demo-'));
    const port = await freePort();
    const log = openSync(logFile(directory), 'w');
    const child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, PORT: String(port), EVENTS_DATABASE_URL: `sqlite:${join(directory, 'payments.sqlite')}` },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return new ServiceProcess(`http://127.0.0.1:${port}`, child, directory);
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The end of its log. */
  get lastWords(): string {
    return readFileSync(logFile(this.directory), 'utf8').trimEnd().split('\n').slice(-LOG_LINES).join('\n');
  }

  /** SIGTERM; answers how the process ended: `exit code 0` is the clean way. */
  async stop(): Promise<string> {
    if (this.running) {
      const exited = once(this.child, 'exit');
      this.child.kill('SIGTERM');
      await Promise.race([exited, sleep(EXIT_WITHIN_MS, undefined, { ref: false })]);
    }
    if (this.running) return `still running ${EXIT_WITHIN_MS / 1_000} s after SIGTERM`;
    const { exitCode, signalCode } = this.child;
    return exitCode === null ? `killed by ${signalCode}` : `exit code ${exitCode}`;
  }

  /** Whatever happened: no process and no file is left. */
  dispose(): void {
    if (this.running) this.child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function logFile(directory: string): string {
  return join(directory, 'service.log');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
