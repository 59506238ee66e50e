import type { ClaimRequest } from '../store/delivery.store.js';
import type { AppendResult } from '../store/inbox.store.js';
import type { Claimer } from './claimer.js';
import type { Claimed } from './handler-slot.js';
import type { Load } from './load.js';

/** Makes the commit of a publish, with this claim in it if one is given. */
export type PublishCommit = (claim?: ClaimRequest) => Promise<AppendResult>;

/** Publishes on their way whose commits claim what they bring, so that an idle node begins it without a claim of its own. */
export class PublishClaims {
  private readonly underWay = new Set<Promise<AppendResult>>();

  /** @param accept takes over what was claimed; null = the store knows no such node. */
  constructor(
    private readonly claimer: Claimer,
    private readonly load: Load,
    private readonly accept: (claimed: readonly Claimed[] | null, node: number) => void,
  ) {}

  async make(node: number, handlers: Iterable<string>, commit: PublishCommit): Promise<AppendResult> {
    const making = this.commit(node, handlers, commit);
    this.underWay.add(making);
    try {
      return await making;
    } finally {
      this.underWay.delete(making);
    }
  }

  /** Resolves when those that are on their way have ended, and what they claimed was taken over. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.underWay);
  }

  private async commit(node: number, handlers: Iterable<string>, commit: PublishCommit): Promise<AppendResult> {
    const { answer, claimed } = await this.claimer.with(node, this.load, handlers, commit);
    if (claimed !== undefined) this.accept(claimed, node);
    return answer;
  }
}
