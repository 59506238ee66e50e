import type { Attempt } from './attempt.js';

/** The innermost link: calls the method. */
export async function callHandler(attempt: Attempt): Promise<void> {
  attempt.refusal = undefined;
  // From here on the token is used up, however this ends.
  attempt.rateSlot = null;
  await attempt.handler.call(attempt.event, attempt.context, attempt);
}
