import { DataSource, type DataSourceOptions } from 'typeorm';
import { type DatabaseKind, databaseKinds, type OwnDatabase } from '../../support/database-kinds.js';
import { OwnServer } from '../../support/own-server.js';
import type { Tables } from './account/evidence.js';
import type { ChaosOptions } from './chaos.options.js';
import { cut } from './cut.js';
import { TABLES } from './scenario.js';

type Row = Record<string, unknown>;

/** The database of a run, as the driver sees it: on one connection, which no cut hits. */
export class ChaosDatabase {
  /** A server that is being crashed cannot be asked for anything. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly database: OwnDatabase,
    private readonly source: DataSource,
    private readonly server: OwnServer | undefined,
  ) {}

  /** @throws Error when this kind of database is not known, or not there, or cannot have a server of its own. */
  static async create({ db, server }: Pick<ChaosOptions, 'db' | 'server'>): Promise<ChaosDatabase> {
    const own = server === 'own' ? await ownServer(db) : undefined;
    try {
      const database = await (own?.kind ?? sharedKind(db)).create();
      const source = new DataSource({
        ...database.options,
        poolSize: 1,
        ...walOf(database.options),
      } as DataSourceOptions);
      await source.initialize();
      for (const table of TABLES) await source.query(table);
      return new ChaosDatabase(database, source, own);
    } catch (error) {
      await own?.stop();
      throw error;
    }
  }

  get options(): DataSourceOptions {
    return this.database.options;
  }

  cut(share: number, forMs: number): Promise<string> {
    return this.inTurn(() => cut(this.source, share, forMs));
  }

  /** Crashes the run's own server, and has it recover. */
  restart(forMs: number): Promise<string> {
    return this.inTurn(async () => {
      await this.server?.restart(forMs);
      return `the server crashed, and was away for ${forMs} ms`;
    });
  }

  /** At once; for a process that is about to exit. */
  killServer(): void {
    this.server?.kill();
  }

  /** Live deliveries and events that are still to be fanned out. */
  async unfinished(): Promise<number> {
    const [live] = await this.rows('select count(*) as n from event_delivery');
    const [raw] = await this.rows('select count(*) as n from event_inbox where fanned_out_at is null');
    return Number(live['n']) + Number(raw['n']);
  }

  /** Everything the accounting wants to know. */
  async tables(): Promise<Tables> {
    const business = await this.rows('select id from business');
    const effects = await this.rows('select event_id, handler, run from effects');
    const inbox = await this.rows('select seq, id, ordering_key, fanned_out_at from event_inbox order by seq');
    const live = await this.rows('select * from event_delivery');
    const completions = await this.rows('select event_seq, handler, outcome from event_completion');
    const letters = await this.rows('select event_seq, handler, reason, errors from event_dead_letter');
    return {
      business: business.map((row) => text(row['id'])),
      effects: effects.map((row) => ({
        event: text(row['event_id']),
        handler: text(row['handler']),
        run: text(row['run']),
      })),
      inbox: inbox.map((row) => ({
        seq: Number(row['seq']),
        id: text(row['id']),
        orderingKey: row['ordering_key'] === null ? undefined : text(row['ordering_key']),
        raw: row['fanned_out_at'] === null,
      })),
      live: live.map((row) => ({ ...delivery(row), state: JSON.stringify(row) })),
      completions: completions.map((row) => ({ ...delivery(row), outcome: text(row['outcome']) })),
      deadLetters: letters.map((row) => ({
        ...delivery(row),
        reason: text(row['reason']),
        errors: row['errors'] === null ? '' : text(row['errors']),
      })),
    };
  }

  async drop(): Promise<void> {
    await this.source.destroy();
    if (this.server) await this.server.stop();
    else await this.database.drop();
  }

  private inTurn<T>(act: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(act);
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  private rows(sql: string): Promise<Row[]> {
    return this.source.query<Row[]>(sql);
  }
}

async function ownServer(db: string): Promise<OwnServer> {
  if (db === 'postgres' || db === 'mariadb') return OwnServer.start(db);
  throw new Error(`--server own is for postgres and mariadb; ${db} has no server`);
}

function sharedKind(db: string): DatabaseKind {
  const kind = databaseKinds.find(({ name }) => name === db);
  if (kind) return kind;
  const known = databaseKinds.map(({ name }) => name).join(', ');
  throw new Error(`--db ${db}: the databases that can be used here are ${known}`);
}

function walOf(options: DataSourceOptions): object {
  return options.type === 'better-sqlite3' ? { enableWAL: true } : {};
}

function delivery(row: Row): { seq: number; handler: string } {
  return { seq: Number(row['event_seq']), handler: text(row['handler']) };
}

/** Some databases answer ids as bytes. */
function text(value: unknown): string {
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value);
}
