import { Buffer } from 'node:buffer';

/** Oid and bytes of an element, for numbers; the oid of text is 25. */
const NUMBERS = { smallint: { oid: 21, bytes: 2 }, int: { oid: 23, bytes: 4 }, bigint: { oid: 20, bytes: 8 } } as const;
const TEXT_OID = 25;
const HEADER_BYTES = 20;
const LENGTH_BYTES = 4;
const NULL_LENGTH = -1;

/**
 * A `text[]` in PostgreSQL's binary format. As text each element would be escaped here and parsed there: for 500 payloads
 * that takes eight times as long. A column of nulls, as most have no headers and no ordering key, is empty: unnested
 * beside longer ones it gives nulls.
 */
export function textArray<T>(items: readonly T[], valueOf: (item: T) => string | null): Buffer {
  const values = items.map(valueOf);
  if (values.every(isNull)) return empty(TEXT_OID);
  let size = HEADER_BYTES;
  for (const value of values) size += LENGTH_BYTES + (value === null ? 0 : Buffer.byteLength(value));
  const buffer = Buffer.allocUnsafe(size);
  let at = writeHeader(buffer, TEXT_OID, values.length);
  for (const value of values) {
    const length = value === null ? 0 : buffer.write(value, at + LENGTH_BYTES);
    buffer.writeInt32BE(value === null ? NULL_LENGTH : length, at);
    at += LENGTH_BYTES + length;
  }
  return buffer;
}

/** The same for integers, which must be safe ones and fit their type. */
export function numberArray<T>(
  type: keyof typeof NUMBERS,
  items: readonly T[],
  valueOf: (item: T) => number | null,
): Buffer {
  const { oid, bytes } = NUMBERS[type];
  const values = items.map(valueOf);
  if (values.every(isNull)) return empty(oid);
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + (LENGTH_BYTES + bytes) * values.length);
  let at = writeHeader(buffer, oid, values.length);
  for (const value of values) {
    at = buffer.writeInt32BE(value === null ? NULL_LENGTH : bytes, at);
    if (value === null) continue;
    if (bytes === 8) {
      buffer.writeInt32BE(Math.floor(value / 2 ** 32), at);
      buffer.writeUInt32BE(value >>> 0, at + 4);
    } else buffer.writeIntBE(value, at, bytes);
    at += bytes;
  }
  return buffer.subarray(0, at);
}

function isNull(value: unknown): boolean {
  return value === null;
}

/** One dimension that begins at 1 and may hold nulls. Answers where the elements begin. */
function writeHeader(buffer: Buffer, oid: number, length: number): number {
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(1, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return HEADER_BYTES;
}

/** It has no dimension. */
function empty(oid: number): Buffer {
  const buffer = Buffer.alloc(12);
  buffer.writeInt32BE(oid, 8);
  return buffer;
}
