import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosProcess } from './chaos-process.js';
import type { Journal } from './journal.js';

const MOST_TRIES = 10;
/** How much of a log is shown. */
const LOG_END = 4_000;

/** A place for a process, in which another one follows when one has ended. */
export class ProcessSlot {
  private current: ChaosProcess | undefined;
  private state: 'down' | 'starting' | 'up' | 'paused' = 'down';
  private started = 0;
  /** How often a process ended before it was at work, without having been told to. */
  failedStarts = 0;
  private readonly told = new WeakSet<ChaosProcess>();

  /**
   * @param spawn starts the process of this name. @param journal the driver's. @param onCrash a process ended that nobody
   * had told to.
   */
  constructor(
    readonly name: string,
    private readonly spawn: (name: string) => ChaosProcess,
    private readonly journal: Journal,
    private readonly onCrash: (crash: string) => void,
  ) {}

  get isUp(): boolean {
    return this.state === 'up';
  }

  /**
   * Resolves when a process is at work here, or was ended before it was. One that cannot start, since the database was cut
   * off, is followed by another.
   */
  async start(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const process = this.spawn(`${this.name}.${++this.started}`);
      if (await this.boot(process)) return;
      if (this.told.has(process)) return;
      if (tries === MOST_TRIES)
        return this.onCrash(`${this.name} could not be started:\n${process.log.slice(-LOG_END)}`);
      this.failedStarts++;
      await sleep(500);
    }
  }

  private async boot(process: ChaosProcess): Promise<boolean> {
    const { name } = process.config;
    this.current = process;
    this.state = 'starting';
    this.journal.write({ kind: 'start', process: name, pid: process.pid });
    void process.exited.then(({ code, signal }) => this.exited(process, String(signal ?? code)));
    try {
      await process.ready();
    } catch {
      return false;
    }
    if (this.state === 'starting') this.state = 'up';
    return true;
  }

  /** Ends the process by a signal, waits `forMs`, and starts the next. */
  async restart(signal: 'SIGKILL' | 'SIGTERM', forMs: number, wait: (ms: number) => Promise<unknown>): Promise<void> {
    await this.end(signal);
    await wait(forMs);
    await this.start();
  }

  async pause(forMs: number, wait: (ms: number) => Promise<unknown>): Promise<void> {
    const { current } = this;
    if (!current) return;
    const process = current.config.name;
    this.state = 'paused';
    this.journal.write({ kind: 'stop', process });
    current.signal('SIGSTOP');
    await wait(forMs);
    current.signal('SIGCONT');
    this.journal.write({ kind: 'continue', process });
    if (this.current === current && this.state === 'paused') this.state = 'up';
  }

  /** Asks the process to end by itself, with what it has begun. */
  async close(): Promise<void> {
    if (!this.current) return;
    this.told.add(this.current);
    await this.current.close();
    this.state = 'down';
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const { current } = this;
    if (!current || this.state === 'down') return;
    this.state = 'down';
    this.told.add(current);
    if (signal === 'SIGKILL') this.journal.write({ kind: 'kill', process: current.config.name });
    await current.kill(signal);
  }

  private exited(process: ChaosProcess, how: string): void {
    const { name } = process.config;
    this.journal.write({ kind: 'exit', process: name, how });
    if (this.current !== process || this.told.has(process) || this.state === 'starting') return;
    this.state = 'down';
    this.onCrash(`${name} ended by itself (${how}):\n${process.log.slice(-LOG_END)}`);
  }
}
