import type { Clock, TimerHandle } from '../clock/clock.js';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';
import { ConnectionTrust } from './connection-trust.js';

/** A driver's pool, and what becomes of its connections. */
export interface ConnectionPool<C> {
  /** @throws StoreUnavailableError when the server has none to give. */
  readonly acquire: () => Promise<C>;
  readonly release: (connection: C) => void;
  /** Closes it; the pool forgets it. */
  readonly destroy: (connection: C, why: Error) => void;
}

/** Lends the connections of a pool, under a time limit and none that is known to lead nowhere. */
export class PooledConnections<C extends object> {
  private readonly trust: ConnectionTrust<C>;

  constructor(
    private readonly pool: ConnectionPool<C>,
    private readonly clock: Clock,
  ) {
    this.trust = new ConnectionTrust(clock);
  }

  /**
   * A connection that has not done its work in time is closed; nobody waits for what may still come of it.
   * @param limitMs for the work and the wait for a connection together; Infinity = none.
   * @param work its StoreUnavailableError says that the connection is not to be used again; any other error is an answer.
   * @throws StoreUnavailableError when the time was over; else what `acquire` or `work` throws.
   */
  async lend<T>(limitMs: number, work: (connection: C) => Promise<T>): Promise<T> {
    let timer: TimerHandle;
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => {
        this.trust.doubt();
        reject(new StoreUnavailableError(`no answer within ${limitMs} ms`));
      };
      if (limitMs < Infinity) timer = this.clock.setTimeout(giveUp, limitMs);
    });
    try {
      const connection = await this.connect(late);
      try {
        const result = await Promise.race([work(connection), late]);
        this.giveBack(connection);
        return result;
      } catch (error) {
        if (error instanceof StoreUnavailableError) this.pool.destroy(connection, error);
        else this.giveBack(connection);
        throw error;
      }
    } finally {
      this.clock.clearTimeout(timer);
    }
  }

  private giveBack(connection: C): void {
    this.trust.heard(connection);
    this.pool.release(connection);
  }

  private async connect(late: Promise<never>): Promise<C> {
    const connecting = this.trusted();
    try {
      return await Promise.race([connecting, late]);
    } catch (error) {
      // It may still come, too late.
      connecting.then(this.pool.release, () => undefined);
      throw error;
    }
  }

  private async trusted(): Promise<C> {
    for (;;) {
      const connection = await this.pool.acquire();
      if (!this.trust.isDoubtful(connection)) return connection;
      this.pool.destroy(connection, new Error('it may lead nowhere'));
    }
  }
}
