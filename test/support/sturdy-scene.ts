import type { DataSourceOptions } from 'typeorm';
import type { DatabaseKind } from './database-kinds.js';
import { RunLog } from './run-log.js';
import { SturdyNode } from './sturdy-node.js';
import type { SturdyNodeConfig, SturdyPayload } from './sturdy-node.worker.js';
import { WorkDatabase } from './work-database.js';

type NodeOptions = Omit<SturdyNodeConfig, 'dataSource' | 'log'>;

/** A database, nodes in processes of their own, and what they note of their runs. */
export class SturdyScene {
  readonly runs = new RunLog();
  /** In the order of their starts, the ended ones too. */
  readonly nodes: SturdyNode[] = [];

  private constructor(readonly work: WorkDatabase) {}

  static async create(kind: DatabaseKind): Promise<SturdyScene> {
    return new SturdyScene(
      await WorkDatabase.create(kind, ['create table effects (n integer not null, pid integer not null)']),
    );
  }

  /** For tests that run side by side: `work` has a scene of its own, which ends with it, whatever its handlers wait for. */
  static async run(kind: DatabaseKind, work: (scene: SturdyScene) => Promise<void>): Promise<void> {
    const scene = await SturdyScene.create(kind);
    try {
      await work(scene);
    } finally {
      await scene.letGo().catch(() => undefined);
      await scene.end();
    }
  }

  /** @param through how the node reaches the database; default directly. */
  config(options: NodeOptions = {}, through: DataSourceOptions = this.work.options): SturdyNodeConfig {
    return { ...options, dataSource: through, log: this.runs.file };
  }

  async start(config: SturdyNodeConfig, execArgv: readonly string[] = []): Promise<SturdyNode> {
    const node = await SturdyNode.start(config, execArgv);
    this.nodes.push(node);
    return node;
  }

  /** Waits until no delivery is left, live or raw. */
  async drained(deadlineMs?: number): Promise<void> {
    await this.work.until('event_inbox where fanned_out_at is null', (count) => count === 0, deadlineMs);
    await this.work.until('event_delivery', (count) => count === 0, deadlineMs);
  }

  /** Effects, of which each is there exactly once. */
  async effects(): Promise<number> {
    const [all, distinct] = [
      await this.work.count('effects'),
      await this.work.count('(select distinct n from effects) e'),
    ];
    if (all !== distinct) throw new Error(`${all} effects of ${distinct} events`);
    return all;
  }

  /** Lets the handlers end that wait to be let go. */
  async letGo(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => !node.hasEnded).map((node) => node.call('letGo')));
  }

  async end(): Promise<void> {
    await Promise.all(this.nodes.splice(0).map((node) => node.close()));
    await this.work.drop();
    this.runs.remove();
  }
}

/** Events `from` to `to - 1` that all do the same. */
export function events(from: number, to: number, act: SturdyPayload['act'], ms?: number): SturdyPayload[] {
  return Array.from({ length: to - from }, (_, index) => ({ n: from + index, act, ...(ms && { ms }) }));
}
