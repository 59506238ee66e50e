import { Inject, Injectable } from '@nestjs/common';
import { inspect } from 'node:util';
import { Clock } from '../clock/clock.js';
import { EventExecutor } from '../dispatch/event-executor.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import type { EventMessage } from '../envelope/event-message.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { AttemptFailure, DeadReason, DeliveryRecord, DeliveryState } from '../store/records.js';

/** One failed attempt of a delivery. */
export interface FailedAttempt extends Omit<AttemptFailure, 'at'> {
  readonly at: Date;
}

/** A delivery with its state, live or finished. */
export interface Delivery {
  readonly id: string;
  readonly handler: string;
  readonly state: DeliveryState;
  /** Attempts spent so far, those included that died with their node. */
  readonly attempts: number;
  /** When a `scheduled` delivery falls due. */
  readonly availableAt?: Date;
  readonly finishedAt?: Date;
  /** Why it is `dead`. */
  readonly reason?: DeadReason;
  readonly failures: readonly FailedAttempt[];
}

/** Looks into the inbox: an event, what has become of it, and a way to stop it. */
@Injectable()
export class EventInbox {
  constructor(
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly executor: EventExecutor,
  ) {}

  /** The event, or null when the inbox does not (or no longer) have it. */
  async get(id: string): Promise<EventMessage | null> {
    const event = await this.store.findEvent(id);
    return event && new DeliveredEvent(event);
  }

  /** The event's deliveries, one per subscribed handler; empty for an unknown event and for one still raw. */
  async deliveries(eventId: string): Promise<Delivery[]> {
    return (await this.store.findDeliveries(eventId)).map(toDelivery);
  }

  /** Stops a live delivery for good; a run of it is aborted. False when there is no such live delivery. */
  async cancel(deliveryId: string): Promise<boolean> {
    const id = parseDeliveryId(deliveryId);
    const cancelled = await this.store.cancel(id, this.clock.now());
    if (cancelled) this.executor.abort(id, 'cancelled');
    return cancelled;
  }
}

/** @throws TypeError when it is no delivery id. */
export function parseDeliveryId(id: string): number {
  const parsed = /^[1-9]\d{0,15}$/.test(id) ? Number(id) : NaN;
  if (!Number.isSafeInteger(parsed)) throw new TypeError(`not a delivery id: ${inspect(id)}`);
  return parsed;
}

export function toFailedAttempt(failure: AttemptFailure): FailedAttempt {
  return { ...failure, at: new Date(failure.at) };
}

function toDelivery({
  id,
  handler,
  state,
  attempts,
  availableAt,
  finishedAt,
  reason,
  failures,
}: DeliveryRecord): Delivery {
  return {
    id: String(id),
    handler,
    state,
    attempts,
    ...(availableAt !== null && { availableAt: new Date(availableAt) }),
    ...(finishedAt !== null && { finishedAt: new Date(finishedAt) }),
    ...(reason !== null && { reason }),
    failures: failures.map(toFailedAttempt),
  };
}
