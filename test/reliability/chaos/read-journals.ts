import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Journals, ProcessLife, PublishedTransaction, Run, Silence } from './account/evidence.js';
import type { JournalLine } from './journal-lines.js';

/** The file of the driver itself. */
export const DRIVER = 'driver';

export interface JournalEntry {
  /** Whose file it is in. */
  readonly process: string;
  readonly line: JournalLine;
}

/** All lines of all journals of a folder. A last line that was never finished does not count. */
export function readEntries(folder: string): JournalEntry[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ndjson'))
    .flatMap((file) => {
      const lines = readFileSync(join(folder, file), 'utf8').split('\n').slice(0, -1);
      return lines.map((line) => ({
        process: file.slice(0, -'.ndjson'.length),
        line: JSON.parse(line) as JournalLine,
      }));
    });
}

export function toJournals(entries: readonly JournalEntry[]): Journals {
  const transactions = new Map<string, PublishedTransaction>();
  const runs = new Map<string, Run>();
  const processes = new Map<string, ProcessLife>();
  const stoppedAt = new Map<string, number>();
  const life = (name: string): ProcessLife => processes.get(name) ?? { silences: [] };
  const silent = (name: string, silence: Silence) =>
    processes.set(name, { ...life(name), silences: [...life(name).silences, silence] });
  const ended = (name: string, at: number) =>
    processes.set(name, { ...life(name), endedAt: Math.min(life(name).endedAt ?? Infinity, at) });
  const change = (run: string, to: Partial<Run>) => {
    const known = runs.get(run);
    if (known) runs.set(run, { ...known, ...to });
  };

  for (const { process, line } of entries) {
    switch (line.kind) {
      case 'begin-transaction': {
        const { tx, route, events, at } = line;
        transactions.set(tx, { tx, route, events, beganAt: at, result: 'unknown' });
        break;
      }
      case 'end-transaction': {
        const begun = transactions.get(line.tx);
        if (begun) transactions.set(line.tx, { ...begun, endedAt: line.at, result: line.result });
        break;
      }
      case 'begin': {
        const { run, delivery, event, handler, at } = line;
        runs.set(run, { run, process, delivery, event, handler, beganAt: at });
        break;
      }
      case 'done':
        change(line.run, { doneAt: line.at });
        break;
      case 'abort':
        change(line.run, { abortedAt: line.at });
        break;
      case 'end':
        change(line.run, { endedAt: line.at });
        break;
      case 'stall':
        silent(process, { from: line.sinceUs, to: line.at });
        break;
      case 'stop':
        stoppedAt.set(line.process, line.at);
        break;
      case 'continue':
        silent(line.process, { from: stoppedAt.get(line.process) ?? line.at, to: line.at });
        stoppedAt.delete(line.process);
        break;
      case 'kill':
      case 'exit':
        ended(line.process, line.at);
        break;
      case 'start':
      case 'cut':
    }
  }
  // Whoever was ended while it stood still, stood still to the end.
  for (const [name, from] of stoppedAt) silent(name, { from, to: life(name).endedAt ?? Infinity });
  return { transactions: [...transactions.values()], runs: [...runs.values()], processes };
}

/** Everything the journals say of one event, in time. */
export function timelineOf(event: string, entries: readonly JournalEntry[]): string[] {
  const runs = new Set<string>();
  const transactions = new Set<string>();
  for (const { line } of entries) {
    if (line.kind === 'begin' && line.event === event) runs.add(line.run);
    if (line.kind === 'begin-transaction' && line.events.some(({ id }) => id === event)) transactions.add(line.tx);
  }
  const processes = new Set([...runs].map((run) => run.split('#')[0]));
  return entries
    .filter(({ line }) => {
      if ('run' in line) return runs.has(line.run);
      if ('tx' in line) return transactions.has(line.tx);
      return 'process' in line && processes.has(line.process);
    })
    .toSorted((a, b) => a.line.at - b.line.at)
    .map(({ process, line }) => `${process.padEnd(14)} ${JSON.stringify(line)}`);
}
