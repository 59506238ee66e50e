import { CalledProcess } from './called-process.js';
import type { TracedNodeConfig, TracedNodeMethods } from './traced-node.worker.js';

/** A node of `traced-node.worker.ts`, as its test sees it. */
export class TracedNode extends CalledProcess<TracedNodeMethods> {
  /** Resolves when the node runs. */
  static async start(config: TracedNodeConfig): Promise<TracedNode> {
    const node = new TracedNode('traced-node.worker.js', config);
    await node.message('ready');
    return node;
  }
}
