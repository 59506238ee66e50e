import type { Attempt } from './attempt.js';
import type { CurrentAttempt } from './current-attempt.js';

/** The innermost link: calls the method, as part of the attempt. */
export async function callHandler(attempt: Attempt, current: CurrentAttempt): Promise<void> {
  attempt.refusal = undefined;
  // From here on the token is used up, however this ends.
  attempt.rateSlot = null;
  const call = () => attempt.handler.call(attempt.event, attempt.context, attempt) as PromiseLike<unknown> | undefined;
  const running = current.run(attempt, call);
  // What returns at once is not waited for: that would take a turn of the queue, and two promises.
  if (running !== undefined) await running;
}
