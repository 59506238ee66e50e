import { setTimeout as sleep } from 'node:timers/promises';
import { CalledProcess, type CallMessage } from './called-process.js';
import type { SturdyNodeConfig, SturdyNodeMethods } from './sturdy-node.worker.js';

/** A node of `sturdy-node.worker.ts`, as its test sees it. */
export class SturdyNode extends CalledProcess<SturdyNodeMethods> {
  /** Resolves when the node runs. @param execArgv options of Node itself. */
  static async start(config: SturdyNodeConfig, execArgv: readonly string[] = []): Promise<SturdyNode> {
    const node = new SturdyNode('sturdy-node.worker.js', config, execArgv);
    await node.message('ready');
    return node;
  }

  /** A node that cannot start: why. */
  static async failToStart(config: SturdyNodeConfig): Promise<Extract<CallMessage, { kind: 'failed' }>> {
    const node = new SturdyNode('sturdy-node.worker.js', config);
    const failed = await node.message('failed');
    await node.exited;
    return failed;
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
