import { account, type Account } from './account/account.js';
import type { Tables } from './account/evidence.js';
import type { Finding } from './account/finding.js';
import type { JournalLine, PlannedEvent, PublishRoute } from './journal-lines.js';
import { type JournalEntry, timelineOf, toJournals } from './read-journals.js';
import type { HandlerRule } from './scenario.js';

const LEASE_MS = 6_000;
export const MS = 1_000;

export const PAY: HandlerRule = { name: 'pay', types: ['chaos.paid'], effect: true, dies: false, ordered: false };
export const MAIL: HandlerRule = { name: 'mail', types: ['chaos.paid'], effect: false, dies: false, ordered: false };
export const DOOMED: HandlerRule = {
  name: 'doomed',
  types: ['chaos.doomed'],
  effect: false,
  dies: true,
  ordered: false,
};
export const LANE: HandlerRule = { name: 'lane', types: ['chaos.keyed'], effect: false, dies: false, ordered: true };

/** What happened, to be doctored. Times in it are milliseconds. */
export class Ledger {
  private readonly entries: JournalEntry[] = [];
  tables: Tables = { business: [], effects: [], inbox: [], live: [], completions: [], deadLetters: [] };

  write(process: string, line: JournalLine): void {
    this.entries.push({ process, line: { ...line, at: line.at * MS } });
  }

  publish(
    tx: string,
    events: PlannedEvent[],
    options: { route?: PublishRoute; at?: number; result?: 'committed' | 'rolled-back' | 'unknown' | 'killed' } = {},
  ): void {
    const { route = 'ambient', at = 0, result = 'committed' } = options;
    this.write('publisher-1.1', { kind: 'begin-transaction', at, tx, route, events });
    if (result !== 'killed') this.write('publisher-1.1', { kind: 'end-transaction', at: at + 1, tx, result });
  }

  commit(tx: string, events: PlannedEvent[], options: { route?: PublishRoute; at?: number } = {}): void {
    this.publish(tx, events, options);
    if (options.route !== 'all' && options.route !== 'single') this.add('business', tx);
    for (const event of events) this.store(event);
  }

  store({ id, orderingKey }: PlannedEvent): void {
    this.add('inbox', { seq: this.tables.inbox.length + 1, id, orderingKey, raw: false });
  }

  /** A run of 5 ms, settled as it should be. */
  deliver(
    event: string,
    handler: string,
    at = 10,
    rest: { dead?: boolean; effect?: boolean; process?: string } = {},
  ): void {
    const run = this.begin(event, handler, at, rest.process);
    const process = run.split('#')[0];
    if (!rest.dead) this.write(process, { kind: 'done', at: at + 4, run });
    this.write(process, { kind: 'end', at: at + 5, run });
    const seq = this.seqOf(event);
    if (rest.dead) this.add('deadLetters', { seq, handler, reason: 'exhausted', errors: '' });
    else this.add('completions', { seq, handler, outcome: 'completed' });
    if (rest.effect) this.add('effects', { event, handler, run });
  }

  begin(event: string, handler: string, at: number, process = 'node-1.1'): string {
    const run = `${process}#${this.entries.length}`;
    const rest = { delivery: `${event}/${handler}`, event, handler, attempt: 1, pid: 1, epochMs: 0 };
    this.write(process, { kind: 'begin', at, run, ...rest });
    return run;
  }

  add<T extends keyof Tables>(table: T, row: Tables[T][number]): void {
    this.tables = { ...this.tables, [table]: [...this.tables[table], row] };
  }

  remove<T extends keyof Tables>(table: T, which: (row: Tables[T][number]) => boolean): void {
    const rows = this.tables[table] as readonly Tables[T][number][];
    this.tables = { ...this.tables, [table]: rows.filter((row) => !which(row)) };
  }

  seqOf(event: string): number {
    return this.tables.inbox.find(({ id }) => id === event)?.seq ?? NaN;
  }

  account(...handlers: HandlerRule[]): Account {
    const journals = toJournals(this.entries);
    return account({ ...journals, tables: this.tables }, { handlers, leaseMs: LEASE_MS });
  }

  timeline(event: string): string[] {
    return timelineOf(event, this.entries);
  }

  /** Kind, event and handler of each. */
  findings(...handlers: HandlerRule[]): [Finding['kind'], string, string?][] {
    return this.account(...handlers).findings.map(({ kind, event, handler }) =>
      handler === undefined ? [kind, event] : [kind, event, handler],
    );
  }
}

export const paid = (id: string): PlannedEvent => ({ id, type: 'chaos.paid' });
export const keyed = (id: string): PlannedEvent => ({ id, type: 'chaos.keyed', orderingKey: 'k' });
