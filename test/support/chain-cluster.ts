import { setTimeout as sleep } from 'node:timers/promises';
import { ChainDatabase } from './chain-database.js';
import { ChainNode } from './chain-node.js';
import type { ChainNodeConfig, WorkPayload } from './chain-node.worker.js';
import type { DatabaseKind } from './database-kinds.js';

type NodeOptions = Omit<ChainNodeConfig, 'dataSource'>;

/** Nodes, each in a process of its own, on one database. */
export class ChainCluster {
  private readonly nodes: ChainNode[] = [];

  private constructor(
    readonly database: ChainDatabase,
    private readonly options: NodeOptions,
  ) {}

  /** Runs a test on a cluster of its own that is ended and removed afterwards, whatever comes of it. */
  static async run(
    kind: DatabaseKind,
    options: NodeOptions,
    test: (cluster: ChainCluster, database: ChainDatabase) => Promise<void>,
  ): Promise<void> {
    const cluster = new ChainCluster(await ChainDatabase.create(kind), options);
    try {
      await test(cluster, cluster.database);
    } finally {
      await cluster.close();
      await cluster.database.drop();
    }
  }

  /** Two more nodes, at once. */
  async startTwo(): Promise<[ChainNode, ChainNode]> {
    const both = [this.start(), this.start()] as const;
    // A node that comes up after the other has failed must be known, or nobody ends it.
    await Promise.allSettled(both);
    return Promise.all(both);
  }

  /** One more node. */
  async start(): Promise<ChainNode> {
    const node = await ChainNode.start({ ...this.options, dataSource: this.database.options });
    this.nodes.push(node);
    return node;
  }

  /** Ends all nodes in an orderly way. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map((node) => node.close()));
  }
}

/** Events `from` to `to - 1` of `work`, all with the same rest. */
export function payloads(from: number, to: number, rest: Omit<WorkPayload, 'n'> = {}): WorkPayload[] {
  return Array.from({ length: to - from }, (_, index) => ({ n: from + index, ...rest }));
}

/** Asks until it holds; answers when that was, in epoch milliseconds. */
export async function whenTrue(holds: () => Promise<boolean>, deadlineMs = 30_000): Promise<number> {
  const deadline = performance.now() + deadlineMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not true after ${deadlineMs} ms: ${holds.toString()}`);
    await sleep(10);
  }
  return Date.now();
}
