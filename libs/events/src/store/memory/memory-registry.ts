import type { HandlerRegistration, RegistrySnapshot } from '../records.js';

/** The cluster's handlers, and who subscribes where. */
export class MemoryRegistry {
  version = 0;
  private readonly handlers = new Map<string, { readonly priority: number; readonly ordered: boolean }>();
  /** By handler, then by node. */
  private readonly subscriptions = new Map<string, Map<number, readonly string[]>>();

  /** `isLive` answers whether a node is registered. */
  constructor(private readonly isLive: (node: number) => boolean) {}

  announce(node: number, handlers: readonly HandlerRegistration[]): void {
    this.change(() => {
      for (const subscribers of this.subscriptions.values()) subscribers.delete(node);
      for (const { name, priority, ordered, patterns } of handlers) {
        this.handlers.set(name, { priority, ordered });
        const subscribers = this.subscriptions.get(name) ?? new Map<number, readonly string[]>();
        for (const other of subscribers.keys()) if (!this.isLive(other)) subscribers.delete(other);
        this.subscriptions.set(name, subscribers.set(node, [...patterns]));
      }
    });
  }

  /** Ends the subscriptions of a node that is registered no longer, except where no live node would be left. */
  leave(node: number): void {
    this.change(() => {
      for (const subscribers of this.subscriptions.values()) {
        if ([...subscribers.keys()].some(this.isLive)) subscribers.delete(node);
      }
    });
  }

  snapshot(): RegistrySnapshot {
    const handlers = [...this.handlers].map(([name, handler]) => {
      const patterns = new Set([...(this.subscriptions.get(name)?.values() ?? [])].flat());
      return { name, ...handler, paused: false, patterns: [...patterns].toSorted() };
    });
    return { version: this.version, handlers };
  }

  /** Raises the version if `work` changes anything that fan-out depends on. */
  private change(work: () => void): void {
    const before = JSON.stringify(this.snapshot());
    work();
    if (JSON.stringify(this.snapshot()) !== before) this.version++;
  }
}
