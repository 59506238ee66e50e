import type { EntityManager } from 'typeorm';
import type { Duration } from '../duration.js';
import type { EventInput, PublishPayload } from '../envelope/event-payload.js';

/** How to publish an event; all optional. */
export interface PublishOptions {
  /** The open transaction to publish in: the event exists if and only if it commits. */
  manager?: EntityManager;
  /** Unique id, at most 255 characters; an id that the inbox has seen is ignored. Default: a UUIDv7. */
  id?: string;
  /** Version of the payload's shape. Default: the definition's, else 1. */
  version?: number;
  /** Texts that travel with the event. */
  headers?: Record<string, string>;
  /** When it happened. Default now. */
  occurredAt?: Date;
  /** Default: what the definition says. At most 255 characters. */
  orderingKey?: string;
  /** 0..100, lower runs first; goes over the definition's and the handlers'. */
  priority?: number;
  /** Deliver after this time, or at this moment. */
  delay?: Duration | Date;
}

/** What a publish answers. */
export interface PublishReceipt {
  /** The event's id. */
  readonly id: string;
  /** The inbox had this id already: nothing was stored, nothing will run. */
  readonly duplicate: boolean;
}

/** One event of `publishAll`. */
export type PublishRequest<E extends EventInput = EventInput> = Omit<PublishOptions, 'manager'> & {
  event: E;
  payload: PublishPayload<E>;
};
