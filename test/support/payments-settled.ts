import { expect } from 'vitest';
import { PAYMENT_HANDLERS, type PaymentsService } from './payments-service.js';

/** Waits until every delivery of the payment is finished; answers handler -> state, by name. */
export async function settled(service: PaymentsService, paymentId: string): Promise<Record<string, string>> {
  let states: [string, string][] = [];
  const finished = async () => {
    states = (await service.deliveriesOf(paymentId)).map(({ handler, state }) => [handler, state]);
    return (
      states.length === PAYMENT_HANDLERS.length &&
      states.every(([, state]) => state === 'completed' || state === 'dead')
    );
  };
  await expect.poll(finished, { timeout: 15_000 }).toBe(true);
  return Object.fromEntries(states);
}
