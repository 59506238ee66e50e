import type { Clock } from '../clock/clock.js';

/**
 * Which connections of a pool may lead nowhere: those that were not heard of since another one did not answer. Of a
 * server that went silent nobody is told; without this, each of them would be waited for in vain by itself.
 */
export class ConnectionTrust<C extends object> {
  /** Monotonic. */
  private silentAt = -Infinity;
  private readonly heardAt = new WeakMap<C, number>();

  constructor(private readonly clock: Clock) {}

  /** It has answered. */
  heard(connection: C): void {
    this.heardAt.set(connection, this.clock.monotonic());
  }

  /** Some connection did not answer in time. */
  doubt(): void {
    this.silentAt = this.clock.monotonic();
  }

  /** It is not to be used, but closed. A new one is beyond doubt. */
  isDoubtful(connection: C): boolean {
    return (this.heardAt.get(connection) ?? Infinity) < this.silentAt;
  }
}
