import { IpcProcess } from './ipc-process.js';
import type { WorkerCommand, WorkerConfig, WorkerMessage } from './node.worker.js';

/** A node in a process of its own, as its test sees it. */
export class WorkerProcess extends IpcProcess<WorkerCommand, WorkerMessage> {
  /** Resolves when the node runs. */
  static async start(config: WorkerConfig): Promise<WorkerProcess> {
    const worker = new WorkerProcess('node.worker.js', config);
    await worker.message('ready');
    return worker;
  }

  publish(from: number, to: number): Promise<unknown> {
    return this.ask({ kind: 'publish', from, to }, 'published');
  }

  stats(): Promise<Extract<WorkerMessage, { kind: 'stats' }>> {
    return this.ask({ kind: 'stats' }, 'stats');
  }

  private ask<K extends WorkerMessage['kind']>(
    command: WorkerCommand,
    answer: K,
  ): Promise<Extract<WorkerMessage, { kind: K }>> {
    const answered = this.message(answer);
    this.send(command);
    return answered;
  }
}
