import { Injectable } from '@nestjs/common';
import { Batcher } from '../batcher.js';
import { LockTimeoutError } from '../errors/lock-timeout.error.js';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';
import { EventAppender } from './event-appender.js';
import type { BuiltEvent } from './event-builder.js';
import type { PublishReceipt } from './publish.types.js';

/** One commit writes its log to disk while the next is being filled. */
const MOST_IN_FLIGHT = 2;
const MOST_EVENTS = 500;
/** In UTF-16 units of payloads. */
const MOST_PAYLOAD = 2 ** 22;

/** A lock is usually held for the milliseconds of another commit. */
const LOCK_WAIT_MS = 100;

/** What became of an event: committed, or not, or a lock of another transaction was in its group's way. */
type Fate = { readonly receipt: PublishReceipt } | { readonly error: unknown } | 'locked';

/**
 * Commits that many publishes share: what is published in one turn of the event loop, or while earlier groups are on their
 * way, is stored by one statement. An event that the database refuses fails alone: its group is halved until it is found.
 *
 * Events with an id of the application's own or an ordering key may have to wait for another transaction that has the
 * same. They share commits among themselves, which wait a moment only; if that is in vain, each goes on by itself, and
 * only the one that must wait does.
 */
@Injectable()
export class CommitGroups {
  private readonly free: Batcher<BuiltEvent, Fate>;
  private readonly keyed: Batcher<BuiltEvent, Fate>;

  constructor(private readonly appender: EventAppender) {
    const limits = {
      most: MOST_EVENTS,
      weighs: { of: ({ payload }: BuiltEvent) => payload.length, most: MOST_PAYLOAD },
      calls: MOST_IN_FLIGHT,
    };
    this.free = new Batcher((events) => this.store(events), limits);
    this.keyed = new Batcher((events) => this.store(events, LOCK_WAIT_MS), limits);
  }

  /** Resolves once the event is committed. */
  async append(event: BuiltEvent): Promise<PublishReceipt> {
    const isFree = event.generatedId && event.orderingKey === null;
    const fate = await (isFree ? this.free : this.keyed).ask(event);
    if (fate === 'locked') return (await this.appender.append([event]))[0];
    if ('error' in fate) throw fate.error;
    return fate.receipt;
  }

  /** Never rejects. */
  private async store(group: readonly BuiltEvent[], lockWaitMs?: number): Promise<Fate[]> {
    try {
      const receipts = await this.appender.append(group, { lockWaitMs });
      return receipts.map((receipt) => ({ receipt }));
    } catch (error) {
      if (lockWaitMs !== undefined && error instanceof LockTimeoutError) return group.map(() => 'locked');
      if (group.length === 1 || error instanceof StoreUnavailableError) return group.map(() => ({ error }));
      const half = Math.ceil(group.length / 2);
      const [first, second] = [group.slice(0, half), group.slice(half)];
      return [...(await this.store(first, lockWaitMs)), ...(await this.store(second, lockWaitMs))];
    }
  }
}
