import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunLine } from './sturdy-node.worker.js';

/** The file in which the nodes of a test note their runs: one order of all that was noted, by all processes. */
export class RunLog {
  private readonly folder = mkdtempSync(join(tmpdir(), 'durable-events-runs-'));

  private readonly known: RunLine[] = [];
  private descriptor: number | undefined;
  /** What follows the last newline is being written. */
  private unfinished = '';

  get file(): string {
    return join(this.folder, 'runs.log');
  }

  lines(of?: RunLine['what'], n?: number): RunLine[] {
    this.read();
    return this.known.filter((line) => (of ?? line.what) === line.what && (n ?? line.n) === line.n);
  }

  /** Events of which a run began while another one had not ended. A run whose process was killed never ends. */
  overlapping(): number[] {
    const under = new Map<number, number>();
    const found = new Set<number>();
    for (const { n, what } of this.lines()) {
      const running = (under.get(n) ?? 0) + (what === 'begins' ? 1 : -1);
      under.set(n, running);
      if (running > 1) found.add(n);
    }
    return [...found];
  }

  async until(of: RunLine['what'], n: number, deadlineMs = 60_000): Promise<RunLine> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const [line] = this.lines(of, n);
      if (line) return line;
      if (performance.now() > deadline) throw new Error(`after ${deadlineMs} ms no run of event ${n} ${of}`);
      await sleep(20);
    }
  }

  /** Waits until there are so many. */
  async untilSome(of: RunLine['what'], count: number, deadlineMs = 60_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    while (this.lines(of).length < count) {
      if (performance.now() > deadline)
        throw new Error(`after ${deadlineMs} ms there are not ${count} runs that ${of}`);
      await sleep(20);
    }
  }

  remove(): void {
    if (this.descriptor !== undefined) closeSync(this.descriptor);
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** What was written since the last time. */
  private read(): void {
    if (this.descriptor === undefined && !existsSync(this.file)) return;
    this.descriptor ??= openSync(this.file, 'r');
    const texts = (this.unfinished + readFileSync(this.descriptor, 'utf8')).split('\n');
    this.unfinished = texts.pop() ?? '';
    for (const text of texts) this.known.push(JSON.parse(text) as RunLine);
  }
}
