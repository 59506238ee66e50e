import { Injectable } from '@nestjs/common';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';
import { EventAppender } from './event-appender.js';
import type { BuiltEvent } from './event-builder.js';
import type { PublishReceipt } from './publish.types.js';

/** One commit writes its log to disk while the next is being filled. */
const MOST_IN_FLIGHT = 2;
const MOST_EVENTS = 500;
/** In UTF-16 units of payloads. */
const MOST_PAYLOAD = 2 ** 22;

interface Waiting {
  readonly event: BuiltEvent;
  readonly resolve: (receipt: PublishReceipt) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Commits that many publishes share: what is published in one turn of the event loop, or while earlier groups are on their
 * way, is stored by one statement. Only for events that can neither wait for nor collide with anything: an id of their
 * own making and no ordering key. An event that the database refuses fails alone: its group is halved until it is found.
 */
@Injectable()
export class CommitGroups {
  private waiting: Waiting[] = [];
  private inFlight = 0;
  private scheduled = false;

  constructor(private readonly appender: EventAppender) {}

  /** Resolves once the event is committed. */
  append(event: BuiltEvent): Promise<PublishReceipt> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ event, resolve, reject });
      this.schedule();
    });
  }

  private schedule(): void {
    if (this.scheduled || this.inFlight === MOST_IN_FLIGHT || this.waiting.length === 0) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      void this.flush();
    });
  }

  private async flush(): Promise<void> {
    const group = this.waiting.splice(0, sizeOfGroup(this.waiting));
    this.inFlight++;
    this.schedule();
    await this.store(group);
    this.inFlight--;
    this.schedule();
  }

  /** Never rejects. */
  private async store(group: readonly Waiting[]): Promise<void> {
    try {
      const receipts = await this.appender.append(group.map(({ event }) => event));
      group.forEach(({ resolve }, index) => resolve(receipts[index]));
    } catch (error) {
      if (group.length === 1 || error instanceof StoreUnavailableError) {
        for (const { reject } of group) reject(error);
        return;
      }
      const half = Math.ceil(group.length / 2);
      await this.store(group.slice(0, half));
      await this.store(group.slice(half));
    }
  }
}

/** The first, and what follows until the statement is large enough. */
function sizeOfGroup(waiting: readonly Waiting[]): number {
  let payload = waiting[0].event.payload.length;
  let count = 1;
  while (count < waiting.length && count < MOST_EVENTS) {
    payload += waiting[count].event.payload.length;
    if (payload > MOST_PAYLOAD) break;
    count++;
  }
  return count;
}
