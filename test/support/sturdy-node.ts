import { setTimeout as sleep } from 'node:timers/promises';
import { IpcProcess } from './ipc-process.js';
import type {
  SturdyNodeCommand,
  SturdyNodeConfig,
  SturdyNodeMessage,
  SturdyNodeMethods,
} from './sturdy-node.worker.js';

/** A node of `sturdy-node.worker.ts`, as its test sees it. */
export class SturdyNode extends IpcProcess<SturdyNodeCommand, SturdyNodeMessage> {
  private calls = 0;

  /** Resolves when the node runs. @param execArgv options of Node itself. */
  static async start(config: SturdyNodeConfig, execArgv: readonly string[] = []): Promise<SturdyNode> {
    const node = new SturdyNode('sturdy-node.worker.js', config, execArgv);
    await node.message('ready');
    return node;
  }

  /** A node that cannot start: why. */
  static async failToStart(config: SturdyNodeConfig): Promise<Extract<SturdyNodeMessage, { kind: 'failed' }>> {
    const node = new SturdyNode('sturdy-node.worker.js', config);
    const failed = await node.message('failed');
    await node.exited;
    return failed;
  }

  /** Calls a method in the node's process. @throws Error with the text of what it threw there. */
  async call<M extends keyof SturdyNodeMethods>(
    method: M,
    ...args: Parameters<SturdyNodeMethods[M]>
  ): Promise<Awaited<ReturnType<SturdyNodeMethods[M]>>> {
    const call = ++this.calls;
    const answered = this.message('answer', (message) => message.call === call);
    this.send({ kind: 'call', call, method, args });
    const { value, error } = await answered;
    if (error !== undefined) throw new Error(`${method} in the worker: ${error}`);
    return value as Awaited<ReturnType<SturdyNodeMethods[M]>>;
  }

  /** Waits until it calls itself healthy. */
  async healthy(deadlineMs = 30_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    for (let health = await this.call('health'); health.status !== 'up'; health = await this.call('health')) {
      if (performance.now() > deadline)
        throw new Error(`after ${deadlineMs} ms it is ${health.status}: ${health.message}`);
      await sleep(100);
    }
  }
}
