import type { Attempt } from './attempt.js';
import type { CurrentAttempt } from './current-attempt.js';

/** The innermost link: calls the method, as part of the attempt. */
export async function callHandler(attempt: Attempt, current: CurrentAttempt): Promise<void> {
  attempt.refusal = undefined;
  // From here on the token is used up, however this ends.
  attempt.rateSlot = null;
  await current.run(attempt, () => attempt.handler.call(attempt.event, attempt.context, attempt));
}
