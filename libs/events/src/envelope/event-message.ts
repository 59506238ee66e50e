import type { DeepReadonly } from './json.types.js';

/**
 * An event as a handler gets it: an immutable fact. An abstract class and not an interface, so that it can stand in a
 * decorated method's signature (an interface there does not compile under `isolatedModules` with decorator metadata).
 */
export abstract class EventMessage<P = unknown> {
  /** Unique; the inbox ignores an id it has seen. */
  abstract readonly id: string;
  abstract readonly type: string;
  /** Version of the payload's shape, from 1 up. */
  abstract readonly version: number;
  /** Parsed once and frozen; shared by all handlers of the event. */
  abstract readonly payload: DeepReadonly<P>;
  abstract readonly headers: Readonly<Record<string, string>>;
  abstract readonly orderingKey?: string;
  /** What it has in common with all events that go back to the same one (header `correlation-id`). Undefined: it is the first. */
  abstract readonly correlationId?: string;
  /** Id of the event whose handler published it (header `causation-id`). */
  abstract readonly causationId?: string;
  /** When it happened, as the publisher says. */
  abstract readonly occurredAt: Date;
  /** When the inbox stored it. */
  abstract readonly receivedAt: Date;
}
