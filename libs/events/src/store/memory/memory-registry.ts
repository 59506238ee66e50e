import type { HandlerRegistration, NodeRecord, RegistrySnapshot } from '../records.js';
import { byName, type HandlerRow, handlerRow, patternsOf } from './memory-handlers.js';

/** A handler's deliveries and keys are another's from now on. */
export interface Adoption {
  readonly from: string;
  readonly to: string;
}

/** The cluster's handlers, and who subscribes where. */
export class MemoryRegistry {
  version = 0;
  private readonly handlers = new Map<string, HandlerRow>();

  /** @param live nodes, by id. */
  constructor(private readonly live: ReadonlyMap<number, NodeRecord>) {}

  get(handler: string): HandlerRow | undefined {
    return this.handlers.get(handler);
  }

  /** Retired ones too, by name. */
  all(): HandlerRow[] {
    return [...this.handlers.values()].toSorted(byName);
  }

  /** Answers which aliases the node's handlers have adopted. */
  announce(node: number, handlers: readonly HandlerRegistration[], now: number): Adoption[] {
    const announced = new Set(handlers.map(({ name }) => name));
    const adoptions = handlers.flatMap(({ name: to, aliases = [] }) =>
      aliases.filter((from) => !announced.has(from) && this.handlers.has(from)).map((from) => ({ from, to })),
    );
    this.change(() => {
      for (const { subscribers } of this.handlers.values()) subscribers.delete(node);
      for (const handler of handlers) this.enter(node, handler, now);
      for (const { from, to } of adoptions) {
        const row = this.handlers.get(from) as HandlerRow;
        end(row, row.retiredAt ?? now);
        row.adoptedBy = to;
      }
    });
    return adoptions;
  }

  /** Ends the subscriptions of a node that is registered no longer, except where no live node would be left. */
  leave(node: number): void {
    this.change(() => {
      for (const row of this.handlers.values()) if (this.isOnLiveNode(row)) row.subscribers.delete(node);
    });
  }

  retire(rows: readonly HandlerRow[], now: number): void {
    this.change(() => {
      for (const row of rows) end(row, now);
    });
  }

  /** Remembers that live nodes have what they have. */
  touch(now: number): void {
    for (const row of this.handlers.values()) if (this.isOnLiveNode(row)) row.lastSeen = Math.max(row.lastSeen, now);
  }

  /** Handlers that no live node has, last seen before a moment, by name. */
  absentSince(lastSeenBefore: number): HandlerRow[] {
    return this.all().filter(
      (row) => row.retiredAt === null && row.lastSeen < lastSeenBefore && !this.isOnLiveNode(row),
    );
  }

  /** Who has the deliveries of a retired handler: the nearest adopter that is not retired too. */
  heirOf(retired: HandlerRow): string | undefined {
    const passed = new Set<HandlerRow>();
    let row: HandlerRow | undefined = retired;
    while (row && row.retiredAt !== null && !passed.has(row)) {
      passed.add(row);
      row = row.adoptedBy === null ? undefined : this.handlers.get(row.adoptedBy);
    }
    return row && row.retiredAt === null ? row.name : undefined;
  }

  /** Whether any handler subscribes to event types under this prefix. */
  hasSubscriptionUnder(prefix: string): boolean {
    for (const { subscribers } of this.handlers.values()) {
      for (const patterns of subscribers.values()) {
        if (patterns.some((pattern) => pattern.startsWith(prefix))) return true;
      }
    }
    return false;
  }

  snapshot(): RegistrySnapshot {
    const active = [...this.handlers.values()].filter((row) => row.retiredAt === null);
    const handlers = active.map((row) => {
      const { name, priority, ordered, paused } = row;
      return { name, priority, ordered, paused, patterns: patternsOf(row) };
    });
    return { version: this.version, handlers };
  }

  private isOnLiveNode({ subscribers }: HandlerRow): boolean {
    return [...subscribers.keys()].some((node) => this.live.has(node));
  }

  private enter(node: number, handler: HandlerRegistration, now: number): void {
    const { name, priority, ordered, onDeadLetter, patterns } = handler;
    const row = this.handlers.get(name) ?? handlerRow(handler, now);
    this.handlers.set(name, row);
    Object.assign(row, { priority, ordered, onDeadLetter, lastSeen: now, retiredAt: null });
    for (const other of row.subscribers.keys()) if (!this.live.has(other)) row.subscribers.delete(other);
    row.subscribers.set(node, [...patterns]);
  }

  /** Raises the version if `work` changes anything that fan-out depends on. */
  private change(work: () => void): void {
    const before = JSON.stringify(this.snapshot());
    work();
    if (JSON.stringify(this.snapshot()) !== before) this.version++;
  }
}

function end(row: HandlerRow, retiredAt: number): void {
  row.retiredAt = retiredAt;
  row.subscribers.clear();
}
