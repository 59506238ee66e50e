import type { KeyAnswer, KeyClaim } from '../chain.store.js';

/** Expired keys are looked for when there are twice as many as were left the last time; at least so many. */
const FEWEST_TO_SWEEP = 1_000;

interface KeyRow {
  readonly state: 'processing' | 'completed' | 'failed';
  readonly owner: number;
  readonly expiresAt: number;
}

/** Idempotency keys, each of a handler. An expired one is as good as none. */
export class MemoryKeys {
  /** By handler, then by key. */
  private readonly handlers = new Map<string, Map<string, KeyRow>>();
  private sweepAt = FEWEST_TO_SWEEP;

  /** How many are kept. */
  get size(): number {
    return [...this.handlers.values()].reduce((sum, keys) => sum + keys.size, 0);
  }

  claim({ handler, key, owner, expiresAt }: KeyClaim, now: number): KeyAnswer {
    const row = this.handlers.get(handler)?.get(key);
    if (row && row.expiresAt > now) {
      if (row.state === 'completed') return { state: 'completed' };
      if (row.state === 'processing' && row.owner !== owner) return { state: 'processing', expiresAt: row.expiresAt };
    }
    this.set(handler, key, { state: 'processing', owner, expiresAt });
    return { state: 'claimed' };
  }

  /** Ends the processing of a key, if it is still this owner's. */
  end(handler: string, key: string, owner: number, state: 'completed' | 'failed', expiresAt: number): void {
    const row = this.handlers.get(handler)?.get(key);
    if (row?.state === 'processing' && row.owner === owner) this.set(handler, key, { state, owner, expiresAt });
  }

  /** Gives all keys of one handler to another, which keeps what it has itself. */
  adopt(from: string, to: string): void {
    const [taken, own] = [this.handlers.get(from), this.handlers.get(to)];
    this.handlers.delete(from);
    if (taken) this.handlers.set(to, new Map([...taken, ...(own ?? [])]));
  }

  /** Called with every batch of claims, so that memory stays bounded without `prune`. */
  sweepIfGrown(now: number): void {
    if (this.size <= this.sweepAt) return;
    this.sweep(now, Infinity);
    this.sweepAt = Math.max(FEWEST_TO_SWEEP, 2 * this.size);
  }

  /** Forgets expired keys, at most so many; answers how many it forgot. */
  sweep(now: number, limit: number): number {
    let forgotten = 0;
    for (const [handler, keys] of this.handlers) {
      for (const [key, { expiresAt }] of keys) {
        if (forgotten >= limit) return forgotten;
        if (expiresAt <= now && keys.delete(key)) forgotten++;
      }
      if (keys.size === 0) this.handlers.delete(handler);
    }
    return forgotten;
  }

  private set(handler: string, key: string, row: KeyRow): void {
    let keys = this.handlers.get(handler);
    if (!keys) this.handlers.set(handler, (keys = new Map()));
    keys.set(key, row);
  }
}
