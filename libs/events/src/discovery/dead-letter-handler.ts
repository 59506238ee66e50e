import { type DeadLetter, deadLetterEvent } from '../dead-letter/dead-letter.js';
import type { EventMessage } from '../envelope/event-message.js';
import { compilePattern } from '../envelope/event-pattern.js';
import type { HandlerDefinition } from './handler-definition.js';
import type { KeyFunction, ResolvedHandlerOptions } from './on-event.options.js';

/** The bucket of a limit that has no key. */
const ALL_LETTERS = 'all';

/**
 * A handler of dead letters. They all come as one event type; of those that are not about its patterns it is not called,
 * they end completed, and use up neither its rate limit nor a key.
 * @param handler As decorated: its patterns are those of the events that have died.
 */
export function deadLetterHandler(handler: HandlerDefinition): HandlerDefinition {
  const patterns = handler.patterns.map(compilePattern);
  const isMeant = (event: EventMessage) => {
    const { type } = (event.payload as DeadLetter).event;
    return patterns.some((pattern) => pattern.matches(type));
  };
  return {
    ...handler,
    patterns: [deadLetterEvent.type],
    definitions: new Map([[deadLetterEvent.type, deadLetterEvent]]),
    options: narrowed(handler.options, isMeant),
    call: (event, context, invocation) => (isMeant(event) ? handler.call(event, context, invocation) : undefined),
  };
}

function narrowed(options: ResolvedHandlerOptions, isMeant: (event: EventMessage) => boolean): ResolvedHandlerOptions {
  const { rateLimit, idempotency } = options;
  const ofMeant =
    (key: KeyFunction): KeyFunction =>
    (event) =>
      isMeant(event) ? key(event) : undefined;
  return {
    ...options,
    rateLimit: rateLimit && { ...rateLimit, key: ofMeant(rateLimit.key ?? (() => ALL_LETTERS)) },
    idempotency: idempotency && { ...idempotency, key: idempotency.key && ofMeant(idempotency.key) },
  };
}
