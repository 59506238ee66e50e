import { SturdyNode } from './sturdy-node.js';
import type { SturdyNodeConfig } from './sturdy-node.worker.js';

/** A node that is started again whenever its process dies, as a supervisor does. */
export class SupervisedNode {
  /** How each of its processes died. */
  readonly deaths: (number | NodeJS.Signals | null)[] = [];
  private stopped = false;
  private node: SturdyNode | undefined;
  private readonly watching: Promise<void>;

  /** @param execArgv options of Node itself. */
  constructor(
    private readonly config: SturdyNodeConfig,
    private readonly execArgv: readonly string[] = [],
  ) {
    this.watching = this.watch();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.node?.close();
    await this.watching;
  }

  private async watch(): Promise<void> {
    while (!this.stopped) {
      try {
        this.node = await SturdyNode.start(this.config, this.execArgv);
        if (this.stopped) await this.node.close();
        const { code, signal } = await this.node.exited;
        if (!this.stopped) this.deaths.push(signal ?? code);
      } catch {
        // It died before it was ready: what has killed it was claimed that early.
        this.deaths.push(null);
      }
    }
  }
}
