import type { Provider } from '@nestjs/common';
import { EventsNode, EventsStats, type HandlerStats } from 'nestjs-durable-events';
import { ManualClock } from 'nestjs-durable-events/testing';
import { MemoryDatabase } from '../../libs/events/src/store/memory/memory-database.js';
import { MemoryStore } from '../../libs/events/src/store/memory/memory-store.js';
import { manualApp, type ManualApp, type ManualAppOptions } from './manual-app.js';
import { LogLines } from './shop-app.js';

/** One node of a `ManualCluster`. */
export interface ManualNode extends ManualApp {
  readonly store: MemoryStore;
}

/** Applications on one in-memory database and one clock that stands still: the nodes of one cluster. */
export class ManualCluster {
  readonly clock = new ManualClock();
  readonly database = new MemoryDatabase();
  /** Of all nodes. */
  readonly log = new LogLines();

  /** One more node; `closeManualApps` closes it. */
  async start(providers: Provider[], options: ManualAppOptions = {}): Promise<ManualNode> {
    const store = new MemoryStore(this.clock, this.database);
    const parts = { clock: this.clock, store, log: this.log };
    return { ...(await manualApp(providers, options, parts)), store };
  }

  /** Two nodes with the same providers. */
  async startTwo(providers: Provider[], options: ManualAppOptions = {}): Promise<[ManualNode, ManualNode]> {
    return [await this.start(providers, options), await this.start(providers, options)];
  }

  /** From now on nothing that the node does reaches the database: it does not beat, nor settle what it runs. */
  kill({ store }: ManualNode): void {
    const verbs = Object.getOwnPropertyNames(MemoryStore.prototype) as (keyof MemoryStore | 'constructor')[];
    for (const verb of verbs) {
      if (verb !== 'constructor' && verb !== 'close') Reflect.set(store, verb, () => new Promise(() => {}));
    }
  }

  /** What another node does when the beat of this one has not moved for a lease: its deliveries are free again. */
  async rescue(node: ManualNode): Promise<void> {
    await new MemoryStore(this.clock, this.database).removeNode(nodeId(node), this.clock.now());
  }

  /** Nodes as the database knows them. */
  get nodes(): number[] {
    return [...this.database.nodes.keys()];
  }
}

export const nodeId = ({ app }: ManualApp): number => Number(app.get(EventsNode).id);

/** What the node itself counts of a handler. */
export const statsOf = ({ app }: ManualApp, handler: string): HandlerStats =>
  app.get(EventsStats).snapshot().handlers[handler];
