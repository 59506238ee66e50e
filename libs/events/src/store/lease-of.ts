import type { ClaimedDelivery, Settlement } from './records.js';

/** What every settlement of a claimed delivery says of it. */
export function leaseOf(delivery: ClaimedDelivery): Pick<Settlement, 'id' | 'claims' | 'handler' | 'lane' | 'seq'> {
  const { id, claims, handler, lane, event } = delivery;
  return { id, claims, handler, lane, seq: event.seq };
}
