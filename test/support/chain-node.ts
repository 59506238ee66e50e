import { CalledProcess } from './called-process.js';
import type { ChainNodeConfig, ChainNodeMethods } from './chain-node.worker.js';

/** A node of `chain-node.worker.ts`, as its test sees it. */
export class ChainNode extends CalledProcess<ChainNodeMethods> {
  /** Resolves when the node runs. */
  static async start(config: ChainNodeConfig): Promise<ChainNode> {
    const node = new ChainNode('chain-node.worker.js', config);
    await node.message('ready');
    return node;
  }
}
