import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { ResolvedHandlerOptions } from '../discovery/on-event.options.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import type { ClaimedDelivery, StoredEvent } from '../store/records.js';
import { Attempt } from './attempt.js';

/** What a spec says of its handler `h`; the rest has no effect: no circuit, no limit, no keys, an empty method. */
export interface HandlerParts {
  readonly name?: string;
  readonly options?: Partial<ResolvedHandlerOptions>;
  readonly definitions?: readonly EventDefinition[];
  readonly call?: HandlerDefinition['call'];
}

/** What a spec says of its attempt; the rest is the first attempt at event `e` of type `a.b`. */
export interface AttemptParts {
  readonly event?: Partial<StoredEvent>;
  readonly delivery?: Partial<Omit<ClaimedDelivery, 'event'>>;
  readonly circuitEpoch?: number;
}

const OPTIONS: ResolvedHandlerOptions = {
  aliases: [],
  priority: 50,
  concurrency: 10,
  timeoutMs: 100,
  retry: {
    maxAttempts: 5,
    backoff: 'fixed',
    initialDelayMs: 100,
    maxDelayMs: 100,
    jitter: 'none',
    retryIf: undefined,
  },
  circuit: false,
  rateLimit: false,
  idempotency: false,
  ordering: false,
};

/** A handler of events of type `a.b`. */
export function newHandler({
  name = 'h',
  options,
  definitions = [],
  call = () => undefined,
}: HandlerParts = {}): HandlerDefinition {
  return {
    name,
    source: `H.${name}`,
    patterns: ['a.b'],
    definitions: new Map(definitions.map((definition) => [definition.type, definition])),
    options: { ...OPTIONS, ...options },
    call,
  };
}

export function newEvent(event: Partial<StoredEvent> = {}): StoredEvent {
  return {
    seq: 1,
    id: 'e',
    type: 'a.b',
    version: 1,
    payload: '{}',
    headers: null,
    orderingKey: null,
    priority: null,
    occurredAt: 0,
    receivedAt: 0,
    ...event,
  };
}

export function newDelivery(delivery: Partial<ClaimedDelivery> = {}): ClaimedDelivery {
  return {
    id: 1,
    claims: 1,
    handler: 'h',
    priority: 50,
    attempts: 0,
    crashes: 0,
    rateSlot: null,
    dueAt: 0,
    lane: null,
    event: newEvent(),
    ...delivery,
  };
}

/** An attempt without a context. */
export function newAttempt(handler: HandlerDefinition, parts: AttemptParts = {}): Attempt {
  const delivery = newDelivery({ handler: handler.name, ...parts.delivery, event: newEvent(parts.event) });
  return new Attempt(new DeliveredEvent(delivery.event), handler, delivery, parts.circuitEpoch);
}
