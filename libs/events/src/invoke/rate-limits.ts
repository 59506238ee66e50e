import { Batcher } from '../batcher.js';
import type { Clock } from '../clock/clock.js';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { ResolvedRateLimitOptions } from '../discovery/on-event.options.js';
import { TokenBuckets } from '../policies/token-buckets.js';
import type { ChainStore, TokenAnswer, TokenTake } from '../store/chain.store.js';

/** Takes in one call to the store. */
const MOST_TAKES = 500;
/** A token that was reserved for a moment longer ago than this, and than it takes to refill one, is no longer good. */
const LONGEST_LATE_MS = 1_000;

/** The rate limits of this node's handlers: of the cluster, in the database, or of this process. */
export class RateLimits {
  private readonly local = new TokenBuckets();
  private readonly shared: Batcher<TokenTake, TokenAnswer>;
  /** Of handlers whose limit has no key: the bucket's last answer. */
  private readonly last = new Map<string, TokenAnswer>();
  /** Of the same handlers: the moments for which this node has reserved tokens that have not been used yet, in order. */
  private readonly reserved = new Map<string, { readonly slotAt: number; readonly goodUntil: number }[]>();

  constructor(
    store: Pick<ChainStore, 'takeTokens'>,
    private readonly clock: Clock,
  ) {
    this.shared = new Batcher((takes) => store.takeTokens(takes, clock.now()), { most: MOST_TAKES });
  }

  /** Takes a token, or reserves the next one. */
  async take(handler: HandlerDefinition, limit: ResolvedRateLimitOptions, key: string): Promise<TokenAnswer> {
    const { burst, periodMs, store } = limit;
    const take = { handler: handler.name, key, burst, intervalMs: periodMs / limit.limit };
    const answer =
      store === 'memory'
        ? this.local.take(`${handler.name}\n${key}`, take, this.clock.now())
        : await this.shared.ask(take);
    if (key === '') {
      this.last.set(handler.name, answer);
      const { slotAt } = answer;
      if (slotAt !== null) this.reservedOf(handler.name).push({ slotAt, goodUntil: slotAt + longestLate(limit) });
    }
    return answer;
  }

  /** A delivery has come back for the token that was reserved for it. */
  returned(handler: string, slotAt: number): void {
    const slots = this.reserved.get(handler) ?? [];
    const at = slots.findIndex((slot) => slot.slotAt === slotAt);
    if (at >= 0) slots.splice(at, 1);
  }

  /** Whether a token that was reserved for `slotAt` may still be used. */
  isGood(slotAt: number, limit: ResolvedRateLimitOptions): boolean {
    return this.clock.now() <= slotAt + longestLate(limit);
  }

  /**
   * How many more deliveries are worth claiming, as far as is known here: those that find no token would only be put back,
   * and lose their place to a better one that comes later. Limits with a key are not known before the event is.
   */
  room(handler: string): number {
    const last = this.last.get(handler);
    if (!last) return Infinity;
    const now = this.clock.now();
    const free = last.nextSlot > now ? 0 : Math.max(1, Math.floor(last.tokens));
    // Those that come back have theirs, however many others have been reserved for later.
    return free + this.reservedOf(handler).filter(({ slotAt }) => slotAt <= now).length;
  }

  /** Milliseconds until there may be room; 0 when there is. */
  freeInMs(handler: string): number {
    return Math.max(0, (this.last.get(handler)?.nextSlot ?? 0) - this.clock.now());
  }

  /** Without those that came back to another node: they are long past. */
  private reservedOf(handler: string): { readonly slotAt: number; readonly goodUntil: number }[] {
    const now = this.clock.now();
    const slots = (this.reserved.get(handler) ?? []).filter(({ goodUntil }) => now <= goodUntil);
    this.reserved.set(handler, slots);
    return slots;
  }
}

/** Later than this, in milliseconds, a reserved token would come on top of those that have been refilled since. */
function longestLate({ periodMs, limit }: ResolvedRateLimitOptions): number {
  return Math.max(LONGEST_LATE_MS, periodMs / limit);
}
