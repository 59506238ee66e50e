import { openSync, writeSync } from 'node:fs';
import type { JournalLine } from './journal-lines.js';

/**
 * What one process did, line by line, in a file of its own. Each line is one synchronous write, so it outlives a SIGKILL
 * that comes right after.
 */
export class Journal {
  private readonly file: number;

  constructor(path: string) {
    this.file = openSync(path, 'a');
  }

  write(line: JournalLine extends infer Line ? (Line extends unknown ? Omit<Line, 'at'> : never) : never): void {
    writeSync(this.file, `${JSON.stringify({ at: monotonicUs(), ...line })}\n`);
  }
}

/** Microseconds on the machine's monotonic clock, which all its processes share. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}
