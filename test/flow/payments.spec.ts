/** `/payments` of the payments service as its clients see it: over HTTP, on every database. */
import { EventInbox } from 'nestjs-durable-events';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LedgerEntry } from '../../apps/payments/src/ledger/ledger-entry.entity.js';
import { eventIdOf } from '../../apps/payments/src/payments/payment-processed.event.js';
import { Payment } from '../../apps/payments/src/payments/payment.entity.js';
import { databaseKinds } from '../support/database-kinds.js';
import { allCompleted, payment, PAYMENT_HANDLERS, PaymentsService } from '../support/payments-service.js';

describe.each(databaseKinds)('the payments service on $name', (kind) => {
  let service: PaymentsService;

  beforeAll(async () => {
    service = await PaymentsService.start(kind);
  });

  afterAll(() => service?.stop());

  describe('POST /payments', () => {
    it('accepts a payment, and each of its handlers completes it', async () => {
      expect(await service.post('/payments', payment('good'))).toEqual({
        status: 202,
        body: { paymentId: 'good', duplicate: false },
      });
      expect(await service.settled('good')).toEqual(allCompleted);
      expect(await service.balanceOf('user-of-good')).toBe(12.3);
      const entries = await service.app.get(DataSource).manager.findBy(LedgerEntry, { paymentId: 'good' });
      expect(entries).toMatchObject([{ amountCents: 1_230, currency: 'EUR' }]);
    });

    it('adds up amounts to the cent, given as numbers and as texts', async () => {
      const amounts = [0.1, 0.2, '0.30', '1.15', 10_000];
      await Promise.all(amounts.map((amount, n) => service.post('/payments', payment(`sum-${n}`, amount, 'summed'))));
      for (const n of amounts.keys()) await service.settled(`sum-${n}`);
      expect(await service.balanceOf('summed')).toBe(10_001.75);
    });

    it('takes one of many requests with the same payment id at once, whatever they say, and answers the others 200', async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, n) => service.post('/payments', payment('twice', n + 1, 'doubled'))),
      );
      answers.push(await service.post('/payments', payment('twice', 99, 'doubled')));
      const said = (wanted: number, duplicate: boolean) =>
        answers.filter(({ status, body }) => status === wanted && body['duplicate'] === duplicate).length;
      expect({ accepted: said(202, false), duplicates: said(200, true) }).toEqual({ accepted: 1, duplicates: 10 });
      await service.settled('twice');
      const stored = await service.app.get(DataSource).manager.findBy(Payment, { id: 'twice' });
      expect(stored).toHaveLength(1);
      expect(await service.balanceOf('doubled')).toBe((stored[0]?.amountCents ?? NaN) / 100);
    });

    it.each([
      ['userId', payment('bad', 1, ''), 'userId: must have 1 to 100 letters'],
      ['amount', payment('bad', 1.234), 'amount: must have at most 2 decimals'],
      ['currency', { ...payment('bad'), currency: 'euro' }, 'currency: must be three capital letters'],
      ['paymentId', { ...payment('bad'), paymentId: undefined }, 'paymentId: must be a text'],
    ])('refuses a wrong %s with a 400 that says why, and stores nothing', async (_, body, reason) => {
      expect(await service.post('/payments', body)).toMatchObject({
        status: 400,
        body: { message: [expect.stringContaining(reason)] },
      });
      expect(await service.get('/payments/bad')).toMatchObject({ status: 404 });
    });

    it('refuses a body that is no JSON with a 400 that says where it breaks', async () => {
      expect(await service.post('/payments', '{"paymentId":"cut')).toMatchObject({
        status: 400,
        body: { message: expect.stringContaining('JSON') },
      });
    });

    it('leaves neither payment nor event when its transaction fails after both were written', async () => {
      const { subscribers } = service.app.get(DataSource);
      subscribers.push({
        listenTo: () => Payment,
        afterInsert: () => {
          throw new Error('disk full');
        },
      });
      expect(await service.post('/payments', payment('rolled-back'))).toMatchObject({ status: 500 });
      subscribers.pop();
      expect(await service.get('/payments/rolled-back')).toMatchObject({ status: 404 });
      expect(await service.app.get(EventInbox).get(eventIdOf('rolled-back'))).toBeNull();

      expect(await service.post('/payments', payment('rolled-back'))).toMatchObject({ status: 202 });
      expect(await service.settled('rolled-back')).toEqual(allCompleted);
    });
  });

  describe('GET /payments/:id', () => {
    it('shows the payment, its deliveries and the attempts that failed', async () => {
      await service.post('/payments', payment('negative', -5));
      await service.settled('negative');
      const { status, body } = await service.get('/payments/negative');
      const { deliveries, ...stored } = body as { deliveries: { handler: string }[] };
      const failure = { name: 'RetryableError', message: 'negative amount without a payment it could refund' };
      expect({ status, ...stored }).toEqual({
        status: 200,
        paymentId: 'negative',
        userId: 'user-of-negative',
        amount: -5,
        currency: 'EUR',
        createdAt: expect.any(String),
      });
      expect(deliveries.map(({ handler }) => handler).toSorted()).toEqual(PAYMENT_HANDLERS);
      expect(deliveries.find(({ handler }) => handler === 'fraud-check')).toEqual({
        id: expect.any(String),
        handler: 'fraud-check',
        state: 'dead',
        attempts: 2,
        reason: 'exhausted',
        finishedAt: expect.any(String),
        failures: [1, 2].map((attempt) => ({
          ...failure,
          attempt,
          at: expect.any(String),
          durationMs: expect.any(Number),
          node: expect.any(String),
        })),
      });
      expect(await service.balanceOf('user-of-negative')).toBeUndefined();
    });

    it('answers 404 for an id that never came', async () => {
      expect(await service.get('/payments/unknown')).toMatchObject({
        status: 404,
        body: { message: 'there is no payment "unknown"' },
      });
    });
  });
});
