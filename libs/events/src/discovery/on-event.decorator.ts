import 'reflect-metadata';
import type { EventMessage } from '../envelope/event-message.js';
import type { EventInput, HandledPayload } from '../envelope/event-payload.js';
import type { DeliveryContext } from '../invoke/delivery-context.js';
import { addDecoration } from './handler-metadata.accessor.js';
import type { OnEventOptions } from './on-event.options.js';

/** The messages of one event, or of each of several. */
type MessageOf<E> = E extends readonly (infer One)[]
  ? MessageOf<One>
  : E extends unknown
    ? EventMessage<HandledPayload<E>>
    : never;

/** The payload that an option's functions may count on: of any of the events. */
type PayloadOfAny<E> = E extends readonly (infer One)[] ? HandledPayload<One> : HandledPayload<E>;

/** Fits a method only if it can take every event it is subscribed to. */
export type OnEventDecorator<E> = <M extends (event: MessageOf<E>, context: DeliveryContext) => unknown>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Makes a method of a provider or controller a durable handler of an event: by definition, by type, or by a pattern
 * (`*` one segment, `**` any number of segments; never the library's own types under `events.`). The method is called
 * with the event and a `DeliveryContext`, and its first parameter must fit the payload of a definition or of a type that
 * `EventTypes` knows.
 *
 * Several decorators on one method add their events up to one handler; options are given on one of them only. What is
 * wrong with a handler is found at boot: see `InvalidHandlerError`, `DuplicateHandlerError`, `InvalidOptionError`.
 */
export function OnEvent<const E extends EventInput | readonly EventInput[]>(
  event: E,
  options?: OnEventOptions<PayloadOfAny<E>>,
): OnEventDecorator<E> {
  return (target, method) => addDecoration(target, method, { decorator: 'OnEvent', event, options });
}
