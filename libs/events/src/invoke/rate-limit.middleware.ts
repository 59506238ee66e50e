import type { Clock } from '../clock/clock.js';
import type { ResolvedRateLimitOptions } from '../discovery/on-event.options.js';
import { RateLimitedError } from '../errors/rate-limited.error.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';
import { rateLimitKey } from './keys.js';
import type { Outage } from './outage.js';
import type { RateLimits } from './rate-limits.js';

/**
 * Lets an attempt through when it has a token of its handler's rate limit; else reserves the next one and puts the delivery
 * back until then. A delivery that comes back, or was put back by a link further in, has its token already.
 */
export class RateLimitMiddleware implements ChainLink {
  readonly name = 'rateLimit';

  constructor(
    private readonly limits: RateLimits,
    private readonly clock: Clock,
    private readonly outage: Outage,
  ) {}

  invoke(attempt: Attempt, next: Next): Promise<void> {
    const { rateLimit } = attempt.handler.options;
    return rateLimit === false ? next() : this.limit(attempt, rateLimit, next);
  }

  private async limit(attempt: Attempt, limit: ResolvedRateLimitOptions, next: Next): Promise<void> {
    const { handler, rateSlot } = attempt;
    const key = rateLimitKey(attempt, limit);
    if (key === undefined) return next();
    const hasToken = rateSlot !== null && this.limits.isGood(rateSlot, limit);
    // Given back before its moment, or a middleware that calls again: what is reserved is not there yet.
    if (hasToken && rateSlot > this.clock.now()) throw attempt.refuse(new RateLimitedError(handler.name, rateSlot));
    if (hasToken) {
      this.limits.returned(handler.name, rateSlot);
      return next();
    }
    const { slotAt } = await this.outage.guard(attempt, 'rate limit', () => this.limits.take(handler, limit, key));
    attempt.rateSlot = slotAt ?? this.clock.now();
    if (slotAt !== null) throw attempt.refuse(new RateLimitedError(handler.name, slotAt));
    await next();
  }
}
