import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/**
 * Turns at one SQLite database within this process, first come first served. Transactions of the application hold it
 * across awaits (`acquire`); verbs of the engine only need a moment in which nobody does (`run`). Another process is
 * kept out by SQLite itself, never by this.
 */
export class FileMutex {
  private held = false;
  /** Each answers whether it keeps the turn. */
  private readonly waiting: (() => boolean)[] = [];

  /** Resolves with the release function once it is this caller's turn. Releasing twice is harmless. */
  acquire(): Promise<() => void> {
    if (!this.held) {
      this.held = true;
      return Promise.resolve(this.releaser());
    }
    return new Promise((grant) => {
      this.waiting.push(() => {
        grant(this.releaser());
        return true;
      });
    });
  }

  /**
   * Runs `work`, which must not wait, when it is its turn: at once, before this call returns, if nobody holds the file.
   * Whoever queued later comes later, so a stream of transactions cannot starve the engine.
   */
  run<T>(work: () => T): Promise<T> {
    return new Promise((done, failed) => {
      const turn = () => {
        try {
          done(work());
        } catch (error) {
          failed(error);
        }
        return false;
      };
      if (this.held) this.waiting.push(turn);
      else turn();
    });
  }

  /** Resolves after those who hold it or queue for it now. */
  idle(): Promise<void> {
    return this.run(() => undefined);
  }

  private releaser(): () => void {
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.handOn();
    };
  }

  private handOn(): void {
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) if (next()) return;
    this.held = false;
  }
}

const byPath = new Map<string, FileMutex>();
const byOwner = new WeakMap<object, FileMutex>();

/**
 * The mutex of a database: of a file by its path (however it is written), of an in-memory database by the DataSource
 * that is its only connection.
 */
export function fileMutex(database: string | object): FileMutex {
  return typeof database === 'string' ? entry(byPath, canonical(database)) : entry(byOwner, database);
}

function entry<K>(mutexes: { get(key: K): FileMutex | undefined; set(key: K, mutex: FileMutex): unknown }, key: K) {
  let mutex = mutexes.get(key);
  if (!mutex) mutexes.set(key, (mutex = new FileMutex()));
  return mutex;
}

/** The file need not exist yet, so a symbolic link is followed in as much of the path as does. */
export function canonical(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute ? absolute : join(canonical(parent), basename(absolute));
  }
}
