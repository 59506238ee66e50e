import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { EventMessage } from '../envelope/event-message.js';
import type { DeliveryContext } from './delivery-context.js';

/** One attempt on its way through the invoker chain. Request-scoped handlers get it as `REQUEST`. */
export abstract class Invocation {
  abstract readonly event: EventMessage;
  abstract readonly handler: HandlerDefinition;
  abstract readonly context: DeliveryContext;
  /** This attempt, from 1. */
  abstract readonly attempt: number;
  /** The same signal as the context's. */
  abstract readonly signal: AbortSignal;
}
