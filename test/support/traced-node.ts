import { IpcProcess } from './ipc-process.js';
import type {
  TracedNodeCommand,
  TracedNodeConfig,
  TracedNodeMessage,
  TracedNodeMethods,
} from './traced-node.worker.js';

/** A node of `traced-node.worker.ts`, as its test sees it. */
export class TracedNode extends IpcProcess<TracedNodeCommand, TracedNodeMessage> {
  private calls = 0;

  /** Resolves when the node runs. */
  static async start(config: TracedNodeConfig): Promise<TracedNode> {
    const node = new TracedNode('traced-node.worker.js', config);
    await node.message('ready');
    return node;
  }

  /** Calls a method in the node's process. @throws Error with the text of what it threw there. */
  async call<M extends keyof TracedNodeMethods>(method: M): Promise<Awaited<ReturnType<TracedNodeMethods[M]>>> {
    const call = ++this.calls;
    const answered = this.message('answer', (message) => message.call === call);
    this.send({ kind: 'call', call, method, args: [] });
    const { value, error } = await answered;
    if (error !== undefined) throw new Error(`${method} in the worker: ${error}`);
    return value as Awaited<ReturnType<TracedNodeMethods[M]>>;
  }
}
