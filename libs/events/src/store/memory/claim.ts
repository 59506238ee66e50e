import type { ClaimRequest } from '../delivery.store.js';
import type { TrialRequest } from '../handler.store.js';
import type { MemoryDatabase } from './memory-database.js';
import type { ClaimedDelivery } from '../records.js';
import { isClaimable } from './memory-handlers.js';
import type { MemoryLane } from './memory-lanes.js';
import { claimedDelivery } from './memory-records.js';
import type { DeliveryRow } from './memory-rows.js';
import { claimedBefore, type PendingQueue } from './pending-queue.js';

/** What a want may still get. */
interface Source {
  readonly ordered: boolean;
  readonly queue: PendingQueue | undefined;
  left: number;
}

/** A delivery that was claimed; if it heads a lane, with those of the lane that were claimed behind it. */
interface Run {
  readonly from: Source;
  readonly lane: MemoryLane | undefined;
  readonly rows: DeliveryRow[];
}

/** Null = there is no such node. */
export function claim(database: MemoryDatabase, request: ClaimRequest): ClaimedDelivery[] | null {
  return database.nodes.has(request.node) ? lease(database, request).map(claimedDelivery) : null;
}

/** Leases the best of the queues' heads, one after the other, so the answer is in the order of claims; then runs grow. */
function lease(database: MemoryDatabase, { node, wants, limit, suspect }: ClaimRequest): DeliveryRow[] {
  const sources: Source[] = wants
    .filter((want) => {
      const row = database.registry.get(want.handler);
      return !row || isClaimable(row, want);
    })
    .map(({ handler, limit: left }) => ({
      ordered: database.registry.get(handler)?.ordered ?? false,
      queue: database.queue(handler),
      left,
    }));
  const runs: Run[] = [];
  const aside: [PendingQueue, DeliveryRow][] = [];
  let suspectAllowed = suspect;
  while (runs.length < limit) {
    const best = bestOf(sources, suspectAllowed);
    if (!best) break;
    const { queue, row, from } = best;
    queue.take(row);
    const lane = from.ordered ? database.lanes.of(row) : undefined;
    const head = lane ? headOf(lane, suspectAllowed) : row;
    if (lane && head && rawBefore(database, head)) {
      aside.push([queue, row]);
      continue;
    }
    if (head !== row) row.parked = true;
    if (!head) continue;
    if (head.crashes > 0) suspectAllowed = false;
    database.lease(head, node);
    from.left--;
    runs.push({ from, lane, rows: [head] });
  }
  for (const [queue, row] of aside) queue.push(row);
  grow(database, node, runs, limit - runs.length);
  return runs.flatMap(({ rows }) => rows);
}

function bestOf(sources: readonly Source[], suspect: boolean) {
  let best: { queue: PendingQueue; row: DeliveryRow; from: Source } | undefined;
  for (const from of sources) {
    const row = from.left > 0 ? from.queue?.first(suspect) : undefined;
    if (row && from.queue && (!best || claimedBefore(row, best.row))) best = { queue: from.queue, row, from };
  }
  return best;
}

/** The delivery that a lane goes on with; undefined while it must wait. */
function headOf({ leased, first }: MemoryLane, suspect: boolean): DeliveryRow | undefined {
  if (leased.size > 0 || first?.state !== 'pending') return undefined;
  return first.crashes === 0 || suspect ? first : undefined;
}

/** Whether an older event of the same key is raw. */
function rawBefore({ raw }: MemoryDatabase, { orderingKey, event }: DeliveryRow): boolean {
  for (const { stored } of raw) {
    if (stored.seq > event.stored.seq) return false;
    if (stored.orderingKey === orderingKey) return true;
  }
  return false;
}

/** Adds to each run in turn what follows in its lane. */
function grow(database: MemoryDatabase, node: number, runs: readonly Run[], room: number): void {
  let growing = runs.filter(({ lane, rows: [head] }) => lane && head.crashes === 0);
  let left = room;
  while (left > 0 && growing.length > 0) {
    const grown: Run[] = [];
    for (const run of growing.slice(0, left)) {
      const { from, lane, rows } = run;
      const next = lane?.after(rows[rows.length - 1]);
      if (from.left === 0 || next?.state !== 'pending' || next.crashes > 0 || rawBefore(database, next)) continue;
      database.lease(next, node);
      rows.push(next);
      from.left--;
      grown.push(run);
    }
    left -= grown.length;
    growing = grown;
  }
}

/** Leases as many trials as the half-open circuit has left. */
export function claimTrials(database: MemoryDatabase, request: TrialRequest): ClaimedDelivery[] | null {
  const { node, handler, epoch, most, suspect } = request;
  if (!database.nodes.has(node)) return null;
  const row = database.registry.get(handler);
  if (!row || row.circuit.state !== 'half-open' || row.circuit.epoch !== epoch) return [];
  for (const id of row.trials) if (database.live.get(id)?.state !== 'processing') row.trials.delete(id);
  const limit = most - row.trials.size;
  const claimed = lease(database, { node, wants: [{ handler, limit, ordered: true }], limit, suspect });
  for (const { id } of claimed) row.trials.add(id);
  return claimed.map(claimedDelivery);
}
