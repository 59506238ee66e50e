import type { Socket } from 'node:net';
import type { QueryRunner } from 'typeorm';
import type { Clock, TimerHandle } from '../../clock/clock.js';
import { StoreUnavailableError } from '../../errors/store-unavailable.error.js';

const LIMIT_MS = 5_000;

/** Where the socket is. Once that is gone, the driver fails what waits for an answer, and its pool forgets the connection. */
interface NativeConnection {
  /** `mysql2` */
  readonly stream?: Socket;
  /** `pg` */
  readonly connection?: { readonly stream: Socket };
}

/**
 * Begins a transaction on a connection of the application's pool. One that has idled may lead nowhere by now, of which
 * only silence tells: it is closed, so that the pool makes another one instead.
 * @throws StoreUnavailableError when BEGIN is not answered within 5 s. How long a free connection is waited for, and a new
 *   one tried, is up to the pool.
 */
export async function begin(runner: QueryRunner, clock: Clock): Promise<void> {
  const connection = (await runner.connect()) as NativeConnection;
  let timer: TimerHandle;
  const late = new Promise<never>((_, reject) => {
    timer = clock.setTimeout(() => {
      reject(new StoreUnavailableError(`no answer to BEGIN within ${LIMIT_MS} ms`));
      (connection.stream ?? connection.connection?.stream)?.destroy();
    }, LIMIT_MS);
  });
  try {
    // Whoever leaves a lane must see what was published to it meanwhile, whatever the server's default is. MySQL has
    // locking reads for that, which see past the snapshot.
    const isolation = runner.dataSource.options.type === 'postgres' ? 'READ COMMITTED' : undefined;
    await Promise.race([runner.startTransaction(isolation), late]);
  } finally {
    clock.clearTimeout(timer);
  }
}
