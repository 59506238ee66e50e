import { Inject, Injectable } from '@nestjs/common';
import { inspect } from 'node:util';
import { Clock } from '../clock/clock.js';
import { WorkSignal } from '../dispatch/work-signal.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import type { EventMessage } from '../envelope/event-message.js';
import { EmptyFilterError } from '../errors/empty-filter.error.js';
import { parseDeliveryId, toFailedAttempt, type FailedAttempt } from '../publish/event-inbox.service.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { DeadLetterQuery } from '../store/dead-letter.store.js';
import type { DeadLetterRecord, DeadReason } from '../store/records.js';

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
  all?: true;
}

export interface DeadLetter {
  /** The delivery's id. */
  readonly id: string;
  readonly handler: string;
  readonly reason: DeadReason;
  readonly attempts: number;
  readonly failures: readonly FailedAttempt[];
  readonly diedAt: Date;
  readonly event: EventMessage;
}

export interface DeadLetterPage {
  readonly items: DeadLetter[];
  /** Pass as `after` to get the next page; absent on the last. */
  readonly next?: string;
}

const FILTER_NAMES = ['eventId', 'eventType', 'handler', 'reason', 'since', 'until', 'all'];
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
  ) {}

  /** Newest first. `limit` 1..1000, default 50. An empty filter lists all: nothing is changed by looking. */
  async list(filter: DeadLetterFilter = {}, page: { limit?: number; after?: string } = {}): Promise<DeadLetterPage> {
    const limit = Math.min(Math.max(1, Math.trunc(page.limit ?? DEFAULT_PAGE)), LONGEST_PAGE);
    const before = page.after === undefined ? undefined : parseDeliveryId(page.after);
    const records = await this.store.listDeadLetters(toQuery(filter), limit, before);
    const last = records.length === limit ? records.at(-1) : undefined;
    return { items: records.map(toDeadLetter), ...(last && { next: String(last.id) }) };
  }

  async get(id: string): Promise<DeadLetter | null> {
    const [record] = await this.store.listDeadLetters({ ids: [parseDeliveryId(id)] }, 1);
    return record ? toDeadLetter(record) : null;
  }

  async count(filter: DeadLetterFilter = {}): Promise<number> {
    return this.store.countDeadLetters(toQuery(filter));
  }

  /**
   * Gives dead letters a fresh set of attempts; their failures so far stay on record. Answers how many.
   * @throws EmptyFilterError for a filter without conditions; `{ all: true }` says it.
   */
  async redrive(which: DeadLetterFilter | string, options: { limit?: number } = {}): Promise<number> {
    const query = toStrictQuery(which);
    // Letters that die again while this runs are left alone: each is taken once.
    const until = query.until ?? this.clock.now() + 1;
    const count = await inBatches(options.limit, (limit) =>
      this.store.redrive({ ...query, until }, limit, this.clock.now()),
    );
    if (count > 0) this.signal.raise({ dueAt: 0 });
    return count;
  }

  /**
   * Deletes dead letters for good. Answers how many.
   * @throws EmptyFilterError for a filter without conditions; `{ all: true }` says it.
   */
  async discard(which: DeadLetterFilter | string, options: { limit?: number } = {}): Promise<number> {
    const query = toStrictQuery(which);
    return inBatches(options.limit, (limit) => this.store.discard(query, limit));
  }
}

async function inBatches(most = Infinity, step: (limit: number) => Promise<number[]>): Promise<number> {
  let count = 0;
  while (count < most) {
    const limit = Math.min(BATCH, most - count);
    const done = await step(limit);
    count += done.length;
    if (done.length < limit) break;
  }
  return count;
}

function toStrictQuery(which: DeadLetterFilter | string): DeadLetterQuery {
  if (typeof which === 'string') return { ids: [parseDeliveryId(which)] };
  const { all, ...conditions } = which;
  if (all !== true && Object.values(conditions).every((value) => value === undefined)) throw new EmptyFilterError();
  return toQuery(which);
}

function toQuery(filter: DeadLetterFilter): DeadLetterQuery {
  for (const name of Object.keys(filter)) {
    if (!FILTER_NAMES.includes(name))
      throw new TypeError(`unknown dead letter filter ${inspect(name)}; known are ${FILTER_NAMES.join(', ')}`);
  }
  const { all: _all, since, until, ...same } = filter;
  return { ...same, ...(since && { since: since.getTime() }), ...(until && { until: until.getTime() }) };
}

function toDeadLetter({ id, handler, reason, attempts, failures, diedAt, event }: DeadLetterRecord): DeadLetter {
  return {
    id: String(id),
    handler,
    reason,
    attempts,
    failures: failures.map(toFailedAttempt),
    diedAt: new Date(diedAt),
    event: new DeliveredEvent(event),
  };
}
