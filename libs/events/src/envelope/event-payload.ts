import type { EventDefinition } from './event-definition.js';
import type { EventTypes } from './event-types.js';

/** How an event is named in `publish` and `@OnEvent`: by its definition or by its type. */
export type EventInput = string | EventDefinition;

/** The payload of an event: what its definition says, or what `EventTypes` says of its type; else unknown. */
export type PayloadOf<E> =
  E extends EventDefinition<infer P> ? P : E extends keyof EventTypes ? EventTypes[E] : unknown;

/** What `publish` takes as payload. Of a type that nobody has described, anything: it is checked when published. */
export type PublishPayload<E> = PayloadOf<E>;

/**
 * The payload that a handler of the event may count on. Of a type that nobody has described (and of a pattern), the
 * handler says itself what it expects; `never` is what fits all of that.
 */
export type HandledPayload<E> =
  E extends EventDefinition<infer P> ? P : E extends keyof EventTypes ? EventTypes[E] : never;
