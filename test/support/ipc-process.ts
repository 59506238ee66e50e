import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const DEADLINE_MS = 60_000;

interface Kind {
  readonly kind: string;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of a test's own, steered over IPC. Whatever is waited for has a deadline; then the process is killed. */
export class IpcProcess<Command extends Kind, Message extends Kind> {
  private output = '';
  private readonly child: ChildProcess;
  /** Resolves when the process has ended, however. */
  readonly exited: Promise<ProcessEnd>;

  /**
   * @param worker name of a bundled file. @param config its only argument, as JSON.
   * @param execArgv options of Node itself.
   */
  protected constructor(worker: string, config: object, execArgv: readonly string[] = []) {
    const file = resolve('dist/test/workers', worker);
    this.child = fork(file, [JSON.stringify(config)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [...execArgv],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exited = once(this.child, 'exit').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
    }));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Everything it has printed. */
  get log(): string {
    return this.output;
  }

  /** Asks it to end, with its `close` command; does nothing when it has ended. */
  async close(): Promise<void> {
    if (this.hasEnded) return;
    this.send({ kind: 'close' } as Command);
    await this.end();
  }

  /** Sends a signal and waits for the end; answers how it ended and how long it took. */
  async kill(signal: NodeJS.Signals): Promise<ProcessEnd & { tookMs: number }> {
    const startedAt = performance.now();
    this.child.kill(signal);
    return { ...(await this.end()), tookMs: performance.now() - startedAt };
  }

  /** Waits for an end that comes by itself. */
  ended(): Promise<ProcessEnd> {
    return this.end();
  }

  /** For pauses: the process goes on living. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  protected send(command: Command): void {
    this.child.send(command);
  }

  /** Waits for a message of this kind. @throws Error when the process ends before. */
  protected message<K extends Message['kind']>(
    kind: K,
    isMeant: (message: Extract<Message, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<Message, { kind: K }>> {
    const arrived = new Promise<Extract<Message, { kind: K }>>((resolve) => {
      const listen = (message: Message) => {
        const meant = message as Extract<Message, { kind: K }>;
        if (message.kind !== kind || !isMeant(meant)) return;
        this.child.off('message', listen);
        resolve(meant);
      };
      this.child.on('message', listen);
    });
    const died = this.exited.then(({ code, signal }) => {
      throw new Error(`the worker ended (${signal ?? code}) before it was ${kind}:\n${this.output}`);
    });
    return this.withDeadline(Promise.race([arrived, died]), `for ${kind}`);
  }

  private async end(): Promise<ProcessEnd> {
    return this.withDeadline(this.exited, 'to end');
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
