import { Buffer } from 'node:buffer';
import type { SqlValue, StatementResult } from '../verb.js';
import type { WriteResult } from './native-pool.js';

/**
 * Parameters as the driver gets them. It writes them into the text of the statement, and reads quotes and backslashes as
 * its own default session would: on an application's connection `NO_BACKSLASH_ESCAPES`, or another character set, would
 * change or end a text. Bytes it writes as `X'...'`, which means the same everywhere.
 */
export function toNative(params: readonly SqlValue[]): unknown[] {
  return params.map(bytesOf);
}

function bytesOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bytesOf);
  return typeof value === 'string' ? Buffer.from(value) : value;
}

/** What the driver answers to one statement: an array of rows, or what was written. Binary columns hold our texts. */
export function toResult(answer: unknown): StatementResult {
  if (Array.isArray(answer)) {
    const rows = answer as Record<string, unknown>[];
    for (const row of rows) {
      for (const column of Object.keys(row)) {
        const value = row[column];
        if (Buffer.isBuffer(value)) row[column] = value.toString();
      }
    }
    return { rows, count: rows.length, counts: [], rowIds: [] };
  }
  const { affectedRows, insertId } = answer as WriteResult;
  return { rows: [], count: affectedRows, counts: [], rowIds: [Number(insertId)] };
}
