import { Injectable } from '@nestjs/common';
import { Batcher } from '../batcher.js';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';
import { EventAppender } from './event-appender.js';
import type { BuiltEvent } from './event-builder.js';
import type { PublishReceipt } from './publish.types.js';

/** One commit writes its log to disk while the next is being filled. */
const MOST_IN_FLIGHT = 2;
const MOST_EVENTS = 500;
/** In UTF-16 units of payloads. */
const MOST_PAYLOAD = 2 ** 22;

/** What became of an event: committed, or not. */
type Fate = { readonly receipt: PublishReceipt } | { readonly error: unknown };

/**
 * Commits that many publishes share: what is published in one turn of the event loop, or while earlier groups are on their
 * way, is stored by one statement. Only for events that can neither wait for nor collide with anything: an id of their
 * own making and no ordering key. An event that the database refuses fails alone: its group is halved until it is found.
 */
@Injectable()
export class CommitGroups {
  private readonly groups: Batcher<BuiltEvent, Fate>;

  constructor(private readonly appender: EventAppender) {
    this.groups = new Batcher((events) => this.store(events), {
      most: MOST_EVENTS,
      weighs: { of: ({ payload }) => payload.length, most: MOST_PAYLOAD },
      calls: MOST_IN_FLIGHT,
    });
  }

  /** Resolves once the event is committed. */
  async append(event: BuiltEvent): Promise<PublishReceipt> {
    const fate = await this.groups.ask(event);
    if ('error' in fate) throw fate.error;
    return fate.receipt;
  }

  /** Never rejects. */
  private async store(group: readonly BuiltEvent[]): Promise<Fate[]> {
    try {
      const receipts = await this.appender.append(group);
      return receipts.map((receipt) => ({ receipt }));
    } catch (error) {
      if (group.length === 1 || error instanceof StoreUnavailableError) return group.map(() => ({ error }));
      const half = Math.ceil(group.length / 2);
      return [...(await this.store(group.slice(0, half))), ...(await this.store(group.slice(half)))];
    }
  }
}
