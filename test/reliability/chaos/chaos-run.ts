import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { account, type Account } from './account/account.js';
import { ChaosDatabase } from './chaos-database.js';
import { ChaosProcess } from './chaos-process.js';
import type { ChaosOptions } from './chaos.options.js';
import { planFaults, type Fault, type FaultKind } from './fault-plan.js';
import { Journal } from './journal.js';
import { ProcessSlot } from './process-slot.js';
import { DRIVER, readEntries, timelineOf, toJournals } from './read-journals.js';
import { HANDLERS, LEASE_MS, NODES, PUBLISHERS } from './scenario.js';

const DRAIN_MS = 120_000;
const MOST_TIMELINES = 10;
const MOST_RESTARTS = 20;

export interface ChaosResult {
  readonly options: ChaosOptions;
  readonly account: Account;
  readonly faults: Readonly<Record<FaultKind, number>>;
  /** Processes that ended by themselves, or did not when they were told to. */
  readonly crashes: readonly string[];
  /** Of events with findings, what the journals say. */
  readonly timelines: readonly { readonly event: string; readonly lines: readonly string[] }[];
  /** Processes that found the database cut off when they started. */
  readonly failedStarts: number;
  readonly runs: number;
  readonly rolledBack: number;
  readonly drainMs: number;
  readonly elapsedMs: number;
  /** Kept only if something was wrong. */
  readonly folder: string;
}

export function isClean({ account, crashes }: ChaosResult): boolean {
  return account.findings.length === 0 && crashes.length === 0;
}

/** One run: processes on a fresh database, faults, rest, account. */
export class ChaosRun {
  private readonly folder = mkdtempSync(join(tmpdir(), 'durable-events-chaos-'));
  private readonly journal = new Journal(join(this.folder, `${DRIVER}.ndjson`));
  private readonly processes: ChaosProcess[] = [];
  private readonly crashes: string[] = [];
  private readonly faults: Record<FaultKind, number> = { kill: 0, pause: 0, terminate: 0, cut: 0, restart: 0 };
  /** Aborted when faults are over: what was ended comes back at once. */
  private readonly over = new AbortController();
  private readonly nodes: readonly ProcessSlot[];
  private readonly publishers: readonly ProcessSlot[];

  private constructor(
    private readonly options: ChaosOptions,
    private readonly database: ChaosDatabase,
  ) {
    const slots = (worker: 'node' | 'publisher', count: number) =>
      Array.from({ length: count }, (_, index) => this.slot(worker, index + 1));
    this.nodes = slots('node', NODES);
    this.publishers = slots('publisher', PUBLISHERS);
  }

  /** @throws Error when the database is not there, or the processes cannot even start. */
  static async of(options: ChaosOptions): Promise<ChaosResult> {
    const database = await ChaosDatabase.create(options);
    const run = new ChaosRun(options, database);
    const killAll = () => {
      run.killAll();
      database.killServer();
    };
    process.once('exit', killAll);
    try {
      return await run.toTheEnd();
    } finally {
      run.killAll();
      await Promise.all(run.processes.map(({ exited }) => exited));
      process.off('exit', killAll);
      await database.drop();
    }
  }

  private async toTheEnd(): Promise<ChaosResult> {
    const startedAt = performance.now();
    // Subscriptions begin with the registration of the handlers: what is published before is nobody's.
    await this.startAll(this.nodes);
    await this.startAll(this.publishers);
    await this.disturb();
    const drainMs = await this.comeToRest();
    const result = await this.settleAccounts(startedAt, drainMs);
    if (isClean(result)) rmSync(this.folder, { recursive: true });
    return result;
  }

  private slot(worker: 'node' | 'publisher', number: number): ProcessSlot {
    const spawn = (name: string) => {
      const { seed } = this.options;
      const journal = join(this.folder, `${name}.ndjson`);
      const config = { name, seed, journal, dataSource: this.database.options, cooperative: number === NODES };
      const process = new ChaosProcess(`chaos-${worker}`, config);
      this.processes.push(process);
      void process.exited.then(() => writeFileSync(join(this.folder, `${name}.log`), process.log));
      return process;
    };
    const slot: ProcessSlot = new ProcessSlot(`${worker}-${number}`, spawn, this.journal, (crash) =>
      this.crashed(slot, crash),
    );
    return slot;
  }

  /** It must not, but if it does, the others shall not be alone for the rest of the run. */
  private crashed(slot: ProcessSlot, crash: string): void {
    this.crashes.push(crash);
    if (!this.over.signal.aborted && this.crashes.length <= MOST_RESTARTS) void slot.start();
  }

  /** A process that does not end when it is told to is killed; the accounts are settled all the same. */
  private async noting(step: Promise<void>): Promise<void> {
    await step.catch((error: unknown) => this.crashes.push(String(error)));
  }

  private async startAll(slots: readonly ProcessSlot[]): Promise<void> {
    await Promise.all(slots.map((slot) => slot.start()));
    if (!slots.every((slot) => slot.isUp)) throw new Error(`not everybody came up:\n${this.crashes.join('\n')}`);
  }

  private async disturb(): Promise<void> {
    const { seed, seconds, server } = this.options;
    const plan = planFaults({ seed, seconds, nodes: NODES, publishers: PUBLISHERS, restarts: server === 'own' });
    const begun = performance.now();
    const remaining = (atMs: number) => Math.max(0, atMs - (performance.now() - begun));
    const underWay: Promise<void>[] = [];
    for (const fault of plan) {
      await sleep(remaining(fault.atMs));
      underWay.push(this.noting(this.carryOut(fault)));
    }
    await sleep(remaining(seconds * 1_000));
    this.over.abort();
    await Promise.all(underWay);
  }

  private async carryOut({ kind, target, forMs, share }: Fault): Promise<void> {
    if (kind === 'cut' || kind === 'restart') {
      const what = kind === 'cut' ? await this.database.cut(share, forMs) : await this.database.restart(forMs);
      this.journal.write({ kind: 'cut', what });
      this.faults[kind]++;
      return;
    }
    const slots = [...this.nodes, ...this.publishers];
    const slot = [...slots.slice(target), ...slots.slice(0, target)].find(({ isUp }) => isUp);
    if (!slot) return;
    this.faults[kind]++;
    const wait = (ms: number) => sleep(ms, undefined, { signal: this.over.signal }).catch(() => undefined);
    // A pause is carried to its end, or it would be shorter than a lease.
    if (kind === 'pause') await slot.pause(forMs, (ms) => sleep(ms));
    else await slot.restart(kind === 'kill' ? 'SIGKILL' : 'SIGTERM', forMs, wait);
  }

  /** No more faults and nothing new: how long it takes until nothing is left to do. Then everybody leaves. */
  private async comeToRest(): Promise<number> {
    await Promise.all(this.publishers.map((slot) => this.noting(slot.close())));
    const startedAt = performance.now();
    while ((await this.database.unfinished()) > 0 && performance.now() - startedAt < DRAIN_MS) await sleep(50);
    const drainMs = performance.now() - startedAt;
    await Promise.all(this.nodes.map((slot) => this.noting(slot.end('SIGTERM'))));
    return drainMs;
  }

  private async settleAccounts(startedAt: number, drainMs: number): Promise<ChaosResult> {
    const tables = await this.database.tables();
    const entries = readEntries(this.folder);
    const journals = toJournals(entries);
    const settled = account({ ...journals, tables }, { handlers: HANDLERS, leaseMs: LEASE_MS });
    if (settled.findings.length > 0) writeFileSync(join(this.folder, 'tables.json'), JSON.stringify(tables));
    const events = [...new Set(settled.findings.map(({ event }) => event))].slice(0, MOST_TIMELINES);
    return {
      options: this.options,
      account: settled,
      faults: this.faults,
      crashes: this.crashes,
      timelines: events.map((event) => ({ event, lines: timelineOf(event, entries) })),
      failedStarts: [...this.nodes, ...this.publishers].reduce((sum, slot) => sum + slot.failedStarts, 0),
      runs: journals.runs.length,
      rolledBack: journals.transactions.filter(({ result }) => result === 'rolled-back').length,
      drainMs: Math.round(drainMs),
      elapsedMs: Math.round(performance.now() - startedAt),
      folder: this.folder,
    };
  }

  private killAll(): void {
    for (const process of this.processes) process.signal('SIGKILL');
  }
}
