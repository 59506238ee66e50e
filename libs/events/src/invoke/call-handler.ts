import { validatePayload } from '../envelope/validate-payload.js';
import type { EventMessage } from '../envelope/event-message.js';
import type { Attempt } from './attempt.js';

/** The innermost link: checks the payload against the definition the handler subscribed with, and calls the method. */
export async function callHandler(attempt: Attempt): Promise<void> {
  const { handler, context } = attempt;
  const event: EventMessage = attempt.event;
  const schema = handler.definitions.get(event.type)?.schema;
  if (!schema) {
    await handler.call(event, context, attempt);
    return;
  }
  const payload = await validatePayload(event.type, schema, event.payload);
  await handler.call(attempt.event.withPayload(payload), context, attempt);
}
