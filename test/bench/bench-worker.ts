import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { DataSourceOptions } from 'typeorm';

/** A node in a process of its own. */
export class BenchWorker {
  /** Called with each message of it. */
  onTold: (message: string) => void = () => {};
  private readonly exited: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    this.exited = once(child, 'exit');
    child.on('message', (message: string) => this.onTold(message));
  }

  /**
   * Resolves when it has told something for the first time: that it is ready.
   * @param file a worker of this folder.
   * @throws Error when the process ends before.
   */
  static async start(file: string, dataSource: DataSourceOptions): Promise<BenchWorker> {
    const child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(dataSource)]);
    const worker = new BenchWorker(child);
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`${file} has ended`)));
      worker.onTold = () => resolve();
    });
    return worker;
  }

  tell(message: string): void {
    this.child.send(message);
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }
}
