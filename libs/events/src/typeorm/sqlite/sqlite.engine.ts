import type { DataSource, EntityManager } from 'typeorm';
import type { Engine } from '../engine.js';
import type { SqliteVerb } from '../verb.js';
import { type FileMutex, fileMutex } from './file-mutex.js';
import { nativeDatabase, type NativeDatabase } from './native-database.js';
import type { Patience } from './patience.js';
import { MUST_WAIT, SqliteConnection } from './sqlite-connection.js';

/**
 * Runs verbs on SQLite: each whole verb in one go, since the driver is synchronous and a connection that waits for a
 * lock blocks the event loop, with it perhaps the lock's holder. So the connection's busy timeout is 0, a busy file is
 * tried again after a short wait that blocks nobody, and while a transaction of this process holds the file, verbs that
 * write queue behind it. Verbs that only read never wait.
 */
export class SqliteEngine implements Engine {
  private readonly connections = new WeakMap<NativeDatabase, SqliteConnection>();
  private readonly mutex: FileMutex;

  constructor(
    private readonly source: DataSource,
    private readonly patience: Patience,
  ) {
    const { database } = source.options as { database: string };
    this.mutex = fileMutex(isMemory(database) ? source : database);
  }

  run<R>(verb: () => SqliteVerb<R>): Promise<R> {
    return this.patience.retry(async () => {
      const connection = this.connection(this.source);
      const read = connection.run(verb, false);
      if (read !== MUST_WAIT) return read;
      return this.mutex.run(() => connection.run(verb, true) as R);
    });
  }

  runIn<R>(manager: EntityManager, verb: () => SqliteVerb<R>): Promise<R> {
    return this.patience.retry(async () => {
      // Fails when the transaction is over, as it may be when its time was up: the connection may be in another by now.
      await manager.queryRunner?.connect();
      return this.connection(manager.dataSource).join(verb);
    });
  }

  /** None: whoever writes has the whole file. */
  isConflict(): boolean {
    return false;
  }

  private connection(source: DataSource): SqliteConnection {
    const database = nativeDatabase(source);
    let connection = this.connections.get(database);
    if (!connection) this.connections.set(database, (connection = new SqliteConnection(database)));
    return connection;
  }
}

/** A database that no second connection can see. */
export function isMemory(database: string): boolean {
  return database === ':memory:' || database === '';
}
