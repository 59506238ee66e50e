import type { ChainNodeCommand, ChainNodeConfig, ChainNodeMessage, ChainNodeMethods } from './chain-node.worker.js';
import { IpcProcess } from './ipc-process.js';

/** A node of `chain-node.worker.ts`, as its test sees it. */
export class ChainNode extends IpcProcess<ChainNodeCommand, ChainNodeMessage> {
  private calls = 0;

  /** Resolves when the node runs. */
  static async start(config: ChainNodeConfig): Promise<ChainNode> {
    const node = new ChainNode('chain-node.worker.js', config);
    await node.message('ready');
    return node;
  }

  /** Calls a method in the node's process. @throws Error with the text of what it threw there. */
  async call<M extends keyof ChainNodeMethods>(
    method: M,
    ...args: Parameters<ChainNodeMethods[M]>
  ): Promise<Awaited<ReturnType<ChainNodeMethods[M]>>> {
    const call = ++this.calls;
    const answered = this.message('answer', (message) => message.call === call);
    this.send({ kind: 'call', call, method, args });
    const { value, error } = await answered;
    if (error !== undefined) throw new Error(`${method} in the worker: ${error}`);
    return value as Awaited<ReturnType<ChainNodeMethods[M]>>;
  }
}
