import type { TokenBucketLimit } from '../policies/token-bucket.policy.js';

/** One delivery asks for a token. */
export interface TokenTake extends TokenBucketLimit {
  readonly handler: string;
  readonly key: string;
}

export interface TokenAnswer {
  /** Null = taken, the delivery may run. Else the moment for which a token is reserved for it, rounded up. */
  readonly slotAt: number | null;
  /** Tokens left, a fraction. */
  readonly tokens: number;
  /** Before this moment nobody else gets a token; 0 when some may be free. */
  readonly nextSlot: number;
}

/** One delivery claims an idempotency key. */
export interface KeyClaim {
  readonly handler: string;
  readonly key: string;
  /** The delivery's id. */
  readonly owner: number;
  /** How long it may be `processing` before another may take it over, epoch milliseconds. */
  readonly expiresAt: number;
}

export type KeyAnswer =
  /** The key is the caller's: it runs. */
  | { readonly state: 'claimed' }
  /** The work has been done under this key. */
  | { readonly state: 'completed' }
  /** Another delivery is at it, at most until then. */
  | { readonly state: 'processing'; readonly expiresAt: number };

/** What the invoker chain shares between nodes, beyond circuits. */
export interface ChainStore {
  /**
   * Takes tokens as `takeToken` of the policies does, each take after the one before it, every bucket (handler and key) by
   * one caller at a time. A bucket that is not known is full.
   */
  takeTokens(takes: readonly TokenTake[], now: number): Promise<TokenAnswer[]>;

  /**
   * Claims keys, in the order given; of several callers at once one gets each key of a handler. A key is free when nobody
   * has it, when its last run `failed`, when its entry has expired, and for the delivery that has it `processing` already
   * (a crashed one comes back). A claimed key is `processing` until `expiresAt`; `settle` and `settleIn` end that.
   */
  claimKeys(claims: readonly KeyClaim[], now: number): Promise<KeyAnswer[]>;
}
