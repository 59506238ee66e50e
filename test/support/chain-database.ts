import type { DatabaseKind, OwnDatabase } from './database-kinds.js';
import { WorkDatabase } from './work-database.js';

/** What `chain-node.worker.ts` reads and writes. `circuit`, `nodes` and `rate_slot` are as of the run's begin. */
const TABLES = [
  `create table runs (
    id varchar(36) primary key, n integer not null, pid integer not null, attempt integer not null,
    started_at bigint not null, ended_at bigint, ok integer,
    rate_slot bigint, nodes integer not null, circuit varchar(16) not null
  )`,
  'create table effects (n integer not null, pid integer not null)',
  'create table probes (pid integer not null)',
  'create table control (down integer not null, work_ms integer not null, gate_open integer not null)',
  'insert into control (down, work_ms, gate_open) values (0, 0, 0)',
];

/** One run of the handler `work`. Times are epoch milliseconds. */
export interface Run {
  readonly n: number;
  readonly pid: number;
  readonly attempt: number;
  readonly startedAt: number;
  /** Null = it was killed, or runs still. */
  readonly endedAt: number | null;
  readonly ok: boolean;
  /** The token of the rate limit that it had waited for. */
  readonly rateSlot: number | null;
  /** Registered nodes: one that was killed counts until it is rescued. */
  readonly nodes: number;
  readonly circuit: string;
}

type RunRow = Record<'n' | 'pid' | 'attempt' | 'started_at' | 'nodes', string | number> &
  Record<'ended_at' | 'ok' | 'rate_slot', string | number | null> & { readonly circuit: string };

/** The database of a cluster of chain nodes. */
export class ChainDatabase {
  private constructor(private readonly work: WorkDatabase) {}

  static async create(kind: DatabaseKind): Promise<ChainDatabase> {
    return new ChainDatabase(await WorkDatabase.create(kind, TABLES));
  }

  get options(): OwnDatabase['options'] {
    return this.work.options;
  }

  rows<T>(sql: string): Promise<T[]> {
    return this.work.rows<T>(sql);
  }

  count(from: string): Promise<number> {
    return this.work.count(from);
  }

  until(from: string, reached: (count: number) => boolean, deadlineMs?: number): Promise<void> {
    return this.work.until(from, reached, deadlineMs);
  }

  /** What `work` does from its next run on: takes `workMs`, and fails while `down`. */
  async control({ down, workMs }: { down: boolean; workMs: number }): Promise<void> {
    await this.rows(`update control set down = ${down ? 1 : 0}, work_ms = ${workMs}`);
  }

  /** Gated nodes go on with what they have claimed. */
  async openGate(): Promise<void> {
    await this.rows('update control set gate_open = 1');
  }

  /** The shared circuit of `work`; `openedAt` is NaN unless it is open. */
  async circuit(): Promise<{ state: string; epoch: number; openedAt: number }> {
    const [row] = await this.rows<{ circuit_state: string; circuit_epoch: string; opened_at: string | null }>(
      `select circuit_state, circuit_epoch, opened_at from event_handler where name = 'work'`,
    );
    const { circuit_state: state, circuit_epoch: epoch, opened_at: openedAt } = row;
    return { state, epoch: Number(epoch), openedAt: openedAt === null ? NaN : Number(openedAt) };
  }

  /** Runs in the order in which they began. */
  async runs(where = '1 = 1'): Promise<Run[]> {
    const rows = await this.rows<RunRow>(`select * from runs where ${where} order by started_at, id`);
    return rows.map((row) => ({
      n: Number(row.n),
      pid: Number(row.pid),
      attempt: Number(row.attempt),
      startedAt: Number(row.started_at),
      endedAt: row.ended_at === null ? null : Number(row.ended_at),
      ok: Number(row.ok) === 1,
      rateSlot: row.rate_slot === null ? null : Number(row.rate_slot),
      nodes: Number(row.nodes),
      circuit: row.circuit,
    }));
  }

  /** How many of these runs were under way at once, at most; in all, or on one node. A killed run counts to the end. */
  async mostAtOnce(where: string, per: 'cluster' | 'node'): Promise<number> {
    const sameNode = per === 'node' ? 'and b.pid = a.pid' : '';
    const [row] = await this.rows<{ most: string | number | null }>(
      `with r as (select * from runs where ${where})
       select max(depth) as most from (
         select (select count(*) from r b
                 where (b.id = a.id or (b.started_at <= a.started_at and (b.ended_at is null or b.ended_at > a.started_at)))
                 ${sameNode}) as depth
         from r a) d`,
    );
    return Number(row.most ?? 0);
  }

  /** How many finished deliveries of `work` have come to what. */
  async outcomes(): Promise<Record<string, number>> {
    const rows = await this.rows<{ outcome: string; n: string | number }>(
      `select outcome, count(*) as n from event_completion where handler = 'work' group by outcome`,
    );
    return Object.fromEntries(rows.map(({ outcome, n }) => [outcome, Number(n)]));
  }

  /** From now on remembers how often each delivery was claimed before it was finished. The nodes' tables must be there. */
  async logClaims(): Promise<void> {
    await this.rows('create table claim_log (id bigint not null, claims integer not null)');
    const log = 'insert into claim_log (id, claims) values (old.id, old.claims)';
    if (this.options.type === 'mariadb') {
      await this.rows(`create trigger log_claims after delete on event_delivery for each row ${log}`);
    } else if (this.options.type === 'postgres') {
      await this.rows(
        `create function log_claims() returns trigger language plpgsql as $$ begin ${log}; return null; end $$`,
      );
      await this.rows(
        'create trigger log_claims after delete on event_delivery for each row execute function log_claims()',
      );
    } else await this.rows(`create trigger log_claims after delete on event_delivery begin ${log}; end`);
  }

  /** Of each finished delivery how often it was claimed. */
  async loggedClaims(): Promise<number[]> {
    return (await this.rows<{ claims: number }>('select claims from claim_log')).map(({ claims }) => claims);
  }

  drop(): Promise<void> {
    return this.work.drop();
  }
}
