import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { WorkSignal } from '../dispatch/work-signal.js';
import { EmptyFilterError } from '../errors/empty-filter.error.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { parseDeliveryId } from '../publish/event-inbox.service.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { DeadLetterQuery, RedrivePace } from '../store/dead-letter.store.js';
import type { DeadReason } from '../store/records.js';
import { type DeadLetter, toDeadLetter } from './dead-letter.js';
import { readDeadLetterFilter, readLimit, readRate } from './dead-letter-filter.js';

/** Which dead letters; conditions are ANDed. `all` must be said: an empty filter is refused. */
export interface DeadLetterFilter {
  eventId?: string;
  eventType?: string;
  handler?: string;
  reason?: DeadReason;
  /** Died at or after. */
  since?: Date;
  /** Died before. */
  until?: Date;
  /** In the record of one of its failures: name, message, stack or causes. Exact, so upper and lower case count. */
  error?: string;
  all?: true;
}

export interface DeadLetterPage {
  readonly items: DeadLetter[];
  /** Pass as `after` to get the next page; absent on the last. */
  readonly next?: string;
}

export interface RedriveOptions {
  /** At most so many, from 1. Default all. */
  limit?: number;
  /** So many a second come back, the first at once, so that a redrive does not knock over what has just recovered. Default all at once. */
  rate?: number;
}

const DEFAULT_PAGE = 50;
const LONGEST_PAGE = 1_000;
/** Letters a statement redrives or discards at most, so that no transaction grows without bound. */
const BATCH = 500;

/** Deliveries that will not be tried again, until somebody says so. */
@Injectable()
export class DeadLetters {
  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly signal: WorkSignal,
    private readonly lifecycle: EventLifecycle,
  ) {}

  /**
   * Newest first. `limit` 1..1000, default 50. An empty filter lists all: nothing is changed by looking.
   * @throws TypeError for a filter, a limit or an `after` that cannot be one.
   */
  async list(filter: DeadLetterFilter = {}, page: { limit?: number; after?: string } = {}): Promise<DeadLetterPage> {
    const limit = readLimit(page.limit, LONGEST_PAGE) ?? DEFAULT_PAGE;
    const before = page.after === undefined ? undefined : parseDeliveryId(page.after);
    const records = await this.store.listDeadLetters(readDeadLetterFilter(filter), limit, before);
    const last = records.length === limit ? records.at(-1) : undefined;
    return { items: records.map(toDeadLetter), ...(last && { next: String(last.id) }) };
  }

  /** The dead letter with its failed attempts; null when there is none (any more). */
  async get(id: string): Promise<DeadLetter | null> {
    const [record] = await this.store.listDeadLetters({ ids: [parseDeliveryId(id)] }, 1);
    return record ? toDeadLetter(record) : null;
  }

  /** @throws TypeError for a filter that cannot be one. */
  async count(filter: DeadLetterFilter = {}): Promise<number> {
    return this.store.countDeadLetters(readDeadLetterFilter(filter));
  }

  /**
   * Gives dead letters a fresh set of attempts, oldest first; their failures so far stay on record. Answers how many.
   * @throws EmptyFilterError for a filter without conditions; `{ all: true }` says it. TypeError for what cannot be one.
   */
  async redrive(which: DeadLetterFilter | string, options: RedriveOptions = {}): Promise<number> {
    const query = toStrictQuery(which);
    const most = readLimit(options.limit);
    const rate = readRate(options.rate);
    const startAt = this.clock.now();
    // Letters that die again while this runs are left alone: each is taken once.
    const until = Math.min(query.until ?? Infinity, startAt + 1);
    const count = await inBatches(most, (limit, done) =>
      this.store.redrive(
        { ...query, until },
        limit,
        this.clock.now(),
        rate === undefined ? undefined : paceFrom(startAt, done, rate),
      ),
    );
    if (count > 0) {
      this.lifecycle.emit({ fact: 'redriven', count });
      this.signal.raise({ dueAt: 0 });
    }
    // The first that waits; staging it tells of the next.
    if (rate !== undefined && count > 1) this.signal.raise({ dueAt: Math.ceil(startAt + 1_000 / rate) });
    return count;
  }

  /**
   * Deletes dead letters for good, oldest first. Answers how many.
   * @throws EmptyFilterError for a filter without conditions; `{ all: true }` says it. TypeError for what cannot be one.
   */
  async discard(which: DeadLetterFilter | string, options: { limit?: number } = {}): Promise<number> {
    const query = toStrictQuery(which);
    const count = await inBatches(readLimit(options.limit), (limit) => this.store.discard(query, limit));
    if (count > 0) {
      this.lifecycle.emit({ fact: 'discarded', count });
      // Lanes that they blocked go on.
      this.signal.raise({});
    }
    return count;
  }
}

/** The pace of a batch before which others have been redriven at the same rate. */
function paceFrom(startAt: number, done: number, rate: number): RedrivePace {
  const everyMs = 1000 / rate;
  return { startAt: startAt + done * everyMs, everyMs };
}

async function inBatches(most = Infinity, step: (limit: number, done: number) => Promise<number[]>): Promise<number> {
  let count = 0;
  while (count < most) {
    const limit = Math.min(BATCH, most - count);
    const taken = await step(limit, count);
    count += taken.length;
    if (taken.length < limit) break;
  }
  return count;
}

function toStrictQuery(which: DeadLetterFilter | string): DeadLetterQuery {
  if (typeof which === 'string') return { ids: [parseDeliveryId(which)] };
  const query = readDeadLetterFilter(which);
  if (which.all !== true && Object.keys(query).length === 0) throw new EmptyFilterError();
  return query;
}
