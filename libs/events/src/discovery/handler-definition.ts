import type { EventDefinition } from '../envelope/event-definition.js';
import type { EventMessage } from '../envelope/event-message.js';
import type { DeliveryContext } from '../invoke/delivery-context.js';
import type { Invocation } from '../invoke/invocation.js';
import type { ResolvedHandlerOptions } from './on-event.options.js';

/** A decorated method, ready to be called: one entry of the config map. */
export interface HandlerDefinition {
  /** Stable name, unique per application. */
  readonly name: string;
  /** `Class.method`, for messages. */
  readonly source: string;
  /** Event-type patterns as written; definitions stand for their type. */
  readonly patterns: readonly string[];
  /** The definitions among them, by event type. */
  readonly definitions: ReadonlyMap<string, EventDefinition>;
  readonly options: ResolvedHandlerOptions;
  /** Resolves the instance (per delivery if it is request-scoped or transient) and calls the method. */
  readonly call: (event: EventMessage, context: DeliveryContext, invocation: Invocation) => unknown;
}
