import 'reflect-metadata';
import type { DeadLetter } from '../dead-letter/dead-letter.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import type { EventMessage } from '../envelope/event-message.js';
import type { DeliveryContext } from '../invoke/delivery-context.js';
import { addDecoration } from './handler-metadata.accessor.js';
import type { OnEventOptions } from './on-event.options.js';

/** Of all types but the library's own, whose dead letters are told to nobody. */
const ALL_EVENTS = '**';

/** Fits a method that can take what is told of a dead letter. */
export type OnDeadLetterDecorator = <M extends (event: EventMessage<DeadLetter>, context: DeliveryContext) => unknown>(
  target: object,
  method: string | symbol,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Makes a method of a provider or controller a durable handler of dead letters: of all, or of those whose event has this
 * definition or a type that fits this pattern. What it is told of is written in the transaction of the death, so a crash
 * loses none; it is retried as any handler is, and its own dead letters are told to nobody.
 *
 * Several on one method add up to one handler; options are given on one of them only; `@OnEvent` is for other methods.
 * What is wrong is found at boot: see `InvalidHandlerError`, `DuplicateHandlerError`, `InvalidOptionError`.
 */
export function OnDeadLetter(
  ...args: [event?: string | EventDefinition, options?: OnEventOptions<DeadLetter>]
): OnDeadLetterDecorator {
  const [given, options] = args;
  // An event that is undefined without options is not left out: its definition has not been loaded yet.
  const event = given === undefined && args.length !== 1 ? ALL_EVENTS : given;
  return (target, method) => addDecoration(target, method, { decorator: 'OnDeadLetter', event, options });
}
