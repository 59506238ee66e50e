import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const BYTES = 16;

/** For so many ids at once: a call of the system for each takes longer than all the rest of a publish. */
const randoms = new Uint8Array(BYTES * 256);
let used = randoms.length;
let msecs = -Infinity;
let seq = 0;

/** A UUID version 7 (RFC 9562, 5.7), later ones of this process after earlier ones. */
export function newEventId(now = Date.now()): string {
  if (used === randoms.length) {
    randomFillSync(randoms);
    used = 0;
  }
  const random = randoms.subarray(used, (used += BYTES));
  if (now > msecs) {
    msecs = now;
    // The counter begins anywhere in its lower half, so that it has room (RFC 9562, 6.2).
    seq = ((random[0] & 0x7f) << 24) | (random[1] << 16) | (random[2] << 8) | random[3];
  } else seq++;
  return v7({ random, msecs, seq });
}
