import type { Clock } from '../clock/clock.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { EventStore } from '../store/event-store.js';
import type { HeldLease, Lease } from '../store/records.js';

/** A server may go on with a claim that nobody waits for any more: it is asked again for so long. */
const LOOK_FOR_MS = 30_000;
const LOOK_EVERY_MS = 5_000;

/**
 * A claim whose answer is lost may have leased deliveries that nobody here knows of. This node goes on beating, so nobody
 * else would ever rescue them. Therefore it asks, after a claim that failed, what it holds, and gives back what it does
 * not know.
 */
export class StrayLeases {
  /** Monotonic. */
  private lookAt = Infinity;
  private lookUntil = 0;

  constructor(
    private readonly store: Pick<EventStore, 'heldLeases'>,
    private readonly clock: Clock,
    private readonly logger: Pick<EventsLogger, 'warn'>,
  ) {}

  /** Runs a claim of this node, and remembers when it fails. */
  async watch<T>(claim: () => Promise<T>): Promise<T> {
    try {
      return await claim();
    } catch (error) {
      this.lookAt = this.clock.monotonic();
      this.lookUntil = this.lookAt + LOOK_FOR_MS;
      throw error;
    }
  }

  /** There is reason to ask: no claim should begin before that is done. */
  get isDue(): boolean {
    return this.clock.monotonic() >= this.lookAt;
  }

  /** What the node holds without knowing it, if there is reason to ask. No claim of the node may be under way. */
  async find(node: number, known: () => readonly Lease[]): Promise<HeldLease[]> {
    if (!this.isDue) return [];
    const ids = new Set(known().map(({ id }) => id));
    const held = await this.store.heldLeases(node);
    const now = this.clock.monotonic();
    this.lookAt = now < this.lookUntil ? now + LOOK_EVERY_MS : Infinity;
    const strays = held.filter(({ id }) => !ids.has(id));
    if (strays.length > 0)
      this.logger.warn(`${strays.length} deliveries were claimed, but the answer was lost: they are given back`, {
        node,
        deliveries: strays.length,
      });
    return strays;
  }
}
