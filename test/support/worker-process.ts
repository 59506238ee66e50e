import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { WorkerCommand, WorkerConfig, WorkerMessage } from './node.worker.js';

const WORKER = fileURLToPath(new URL('../../dist/test/test/support/node.worker.js', import.meta.url));
const DEADLINE_MS = 60_000;

/** A node in a process of its own, as its test sees it. */
export class WorkerProcess {
  private output = '';
  private readonly child: ChildProcess;
  private readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(config: WorkerConfig) {
    this.child = fork(WORKER, [JSON.stringify(config)], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exited = once(this.child, 'exit').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
  }

  /** Resolves when the node runs. */
  static async start(config: WorkerConfig): Promise<WorkerProcess> {
    const worker = new WorkerProcess(config);
    await worker.message('ready');
    return worker;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Everything it has printed. */
  get log(): string {
    return this.output;
  }

  publish(from: number, to: number): Promise<unknown> {
    return this.ask({ kind: 'publish', from, to }, 'published');
  }

  async stats(): Promise<Extract<WorkerMessage, { kind: 'stats' }>> {
    return (await this.ask({ kind: 'stats' }, 'stats')) as Extract<WorkerMessage, { kind: 'stats' }>;
  }

  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.send({ kind: 'close' } satisfies WorkerCommand);
    await this.end();
  }

  /** Sends a signal and waits for the end; answers how it ended and how long it took. */
  async kill(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null; tookMs: number }> {
    const startedAt = performance.now();
    this.child.kill(signal);
    return { ...(await this.end()), tookMs: performance.now() - startedAt };
  }

  /** For pauses: the process goes on living. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  private ask(command: WorkerCommand, answer: WorkerMessage['kind']): Promise<WorkerMessage> {
    const answered = this.message(answer);
    this.child.send(command);
    return answered;
  }

  private async end(): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    return this.withDeadline(this.exited, 'to end');
  }

  private message(kind: WorkerMessage['kind']): Promise<WorkerMessage> {
    const arrived = new Promise<WorkerMessage>((resolve) => {
      const listen = (message: WorkerMessage) => {
        if (message.kind !== kind) return;
        this.child.off('message', listen);
        resolve(message);
      };
      this.child.on('message', listen);
    });
    const died = this.exited.then(({ code, signal }) => {
      throw new Error(`the worker ended (${signal ?? code}) before it was ${kind}:\n${this.output}`);
    });
    return this.withDeadline(Promise.race([arrived, died]), `for ${kind}`);
  }

  private async withDeadline<T>(promise: Promise<T>, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.child.kill('SIGKILL');
        reject(new Error(`waited ${DEADLINE_MS} ms ${what} of the worker:\n${this.output}`));
      }, DEADLINE_MS);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
