import { Batcher } from '../batcher.js';
import type { Clock } from '../clock/clock.js';
import type { ResolvedIdempotencyOptions } from '../discovery/on-event.options.js';
import { KeyBusyError } from '../errors/key-busy.error.js';
import type { ChainStore, KeyAnswer, KeyClaim } from '../store/chain.store.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';
import { idempotencyKey } from './keys.js';
import type { Outage } from './outage.js';

/** Claims in one call to the store. */
const MOST_CLAIMS = 500;
/** How long a delivery whose key is in use waits, doubled each time it comes in vain. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Runs the rest once per idempotency key: claims the key first, ends as a duplicate when it is completed, and comes back
 * later while another delivery is at it. What becomes of the key is written with the delivery's outcome.
 */
export class IdempotencyMiddleware implements ChainLink {
  readonly name = 'idempotency';
  private readonly claims: Batcher<KeyClaim, KeyAnswer>;

  constructor(
    store: Pick<ChainStore, 'claimKeys'>,
    private readonly clock: Clock,
    private readonly outage: Outage,
  ) {
    this.claims = new Batcher((claims) => store.claimKeys(claims, clock.now()), { most: MOST_CLAIMS });
  }

  invoke(attempt: Attempt, next: Next): Promise<void> {
    const { idempotency } = attempt.handler.options;
    if (idempotency === false) return next();
    const { handler, event } = attempt;
    const hasKeys = idempotency.key ?? handler.definitions.get(event.type)?.idempotencyKey;
    return hasKeys ? this.once(attempt, idempotency, next) : next();
  }

  private async once(attempt: Attempt, idempotency: ResolvedIdempotencyOptions, next: Next): Promise<void> {
    const { handler, delivery } = attempt;
    const key = idempotencyKey(attempt, idempotency);
    if (key === undefined) return next();
    const answer = await this.outage.guard(attempt, 'idempotency key', () =>
      this.claims.ask({
        handler: handler.name,
        key,
        owner: delivery.id,
        expiresAt: this.clock.now() + idempotency.processingTtlMs,
      }),
    );
    if (answer.state === 'completed') {
      attempt.duplicate = true;
      return;
    }
    if (answer.state === 'processing') {
      throw attempt.refuse(new KeyBusyError(handler.name, this.clock.now() + this.waitMs(attempt, answer.expiresAt)));
    }
    attempt.key = { key, ttlMs: idempotency.ttlMs };
    await next();
  }

  /** Doubling, but no longer than the other delivery may take. */
  private waitMs({ delivery }: Attempt, expiresAt: number): number {
    const vain = delivery.claims - delivery.attempts - delivery.crashes - 1;
    const doubled = Math.min(FIRST_WAIT_MS * 2 ** Math.min(Math.max(0, vain), 20), LONGEST_WAIT_MS);
    return Math.max(1, Math.min(doubled, expiresAt - this.clock.now()));
  }
}
