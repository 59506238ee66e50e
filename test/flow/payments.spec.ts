/** The payments service as its clients see it: over HTTP, on a SQLite file of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventInbox } from 'nestjs-durable-events';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../apps/payments/src/app.config.js';
import { AppModule } from '../../apps/payments/src/app.module.js';
import { LedgerEntry } from '../../apps/payments/src/ledger/ledger-entry.entity.js';
import { eventIdOf } from '../../apps/payments/src/payments/payment-processed.event.js';
import { Payment } from '../../apps/payments/src/payments/payment.entity.js';

const HANDLERS = ['account-balance', 'fraud-check', 'ledger-export', 'notify-customer'];
const directory = mkdtempSync(join(tmpdir(), 'payments-spec-'));
let app: INestApplication;
let url: string;

beforeAll(async () => {
  const config = readConfig({ PORT: '0', EVENTS_DATABASE_URL: `sqlite:${join(directory, 'payments.sqlite')}` });
  app = await NestFactory.create(AppModule.forRoot(config), { logger: false, abortOnError: false });
  await app.listen(config.port, '127.0.0.1');
  url = await app.getUrl();
});

afterAll(async () => {
  await app?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url + path);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function post(path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: text,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

function payment(paymentId: string, amount: number | string = 12.3, userId = `user-of-${paymentId}`) {
  return { paymentId, userId, amount, currency: 'EUR' };
}

async function deliveriesOf(paymentId: string) {
  const { body } = await get(`/payments/${paymentId}`);
  return body['deliveries'] as {
    handler: string;
    state: string;
    attempts: number;
    reason?: string;
    failures: unknown[];
  }[];
}

/** Waits until every delivery of the payment is finished; answers handler -> state, by name. */
async function settled(paymentId: string): Promise<Record<string, string>> {
  let states: [string, string][] = [];
  const finished = async () => {
    states = (await deliveriesOf(paymentId)).map(({ handler, state }) => [handler, state]);
    return states.length === HANDLERS.length && states.every(([, state]) => state === 'completed' || state === 'dead');
  };
  await expect.poll(finished, { timeout: 10_000 }).toBe(true);
  return Object.fromEntries(states);
}

async function balanceOf(userId: string): Promise<number | undefined> {
  const response = await fetch(`${url}/accounts`);
  const accounts = (await response.json()) as { userId: string; balance: number }[];
  return accounts.find((account) => account.userId === userId)?.balance;
}

const allCompleted = Object.fromEntries(HANDLERS.map((name) => [name, 'completed']));

describe('POST /payments', () => {
  it('accepts a payment, and each of the four handlers completes it', async () => {
    expect(await post('/payments', payment('good'))).toEqual({
      status: 202,
      body: { paymentId: 'good', duplicate: false },
    });
    expect(await settled('good')).toEqual(allCompleted);
    expect(await balanceOf('user-of-good')).toBe(12.3);
    expect(await app.get(DataSource).manager.findBy(LedgerEntry, { paymentId: 'good' })).toMatchObject([
      { amountCents: 1_230, currency: 'EUR' },
    ]);
  });

  it('adds up amounts to the cent, given as numbers and as texts', async () => {
    const amounts = [0.1, 0.2, '0.30', '1.15', 10_000];
    await Promise.all(amounts.map((amount, n) => post('/payments', payment(`sum-${n}`, amount, 'summed'))));
    for (const n of amounts.keys()) await settled(`sum-${n}`);
    expect(await balanceOf('summed')).toBe(10_001.75);
  });

  it('takes one of many requests with the same payment id at once, whatever they say, and answers the others 200', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => post('/payments', payment('twice', n + 1, 'doubled'))),
    );
    answers.push(await post('/payments', payment('twice', 99, 'doubled')));
    const said = (wanted: number, duplicate: boolean) =>
      answers.filter(({ status, body }) => status === wanted && body['duplicate'] === duplicate).length;
    expect({ accepted: said(202, false), duplicates: said(200, true) }).toEqual({ accepted: 1, duplicates: 10 });
    await settled('twice');
    const stored = await app.get(DataSource).manager.findBy(Payment, { id: 'twice' });
    expect(stored).toHaveLength(1);
    expect(await balanceOf('doubled')).toBe((stored[0]?.amountCents ?? NaN) / 100);
  });

  it.each([
    ['userId', payment('bad', 1, ''), 'userId: must have 1 to 100 letters'],
    ['amount', payment('bad', 1.234), 'amount: must have at most 2 decimals'],
    ['currency', { ...payment('bad'), currency: 'euro' }, 'currency: must be three capital letters'],
    ['paymentId', { ...payment('bad'), paymentId: undefined }, 'paymentId: must be a text'],
  ])('refuses a wrong %s with a 400 that says why, and stores nothing', async (_, body, reason) => {
    expect(await post('/payments', body)).toMatchObject({
      status: 400,
      body: { message: [expect.stringContaining(reason)] },
    });
    expect(await get('/payments/bad')).toMatchObject({ status: 404 });
  });

  it('refuses a body that is no JSON with a 400 that says where it breaks', async () => {
    expect(await post('/payments', '{"paymentId":"cut')).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('JSON') },
    });
  });

  it('leaves neither payment nor event when its transaction fails after both were written', async () => {
    const { subscribers } = app.get(DataSource);
    subscribers.push({
      listenTo: () => Payment,
      afterInsert: () => {
        throw new Error('disk full');
      },
    });
    expect(await post('/payments', payment('rolled-back'))).toMatchObject({ status: 500 });
    subscribers.pop();
    expect(await get('/payments/rolled-back')).toMatchObject({ status: 404 });
    expect(await app.get(EventInbox).get(eventIdOf('rolled-back'))).toBeNull();

    expect(await post('/payments', payment('rolled-back'))).toMatchObject({ status: 202 });
    expect(await settled('rolled-back')).toEqual(allCompleted);
  });
});

describe('GET /payments/:id', () => {
  it('shows the payment, its deliveries and the attempts that failed', async () => {
    await post('/payments', payment('negative', -5));
    await settled('negative');
    const { status, body } = await get('/payments/negative');
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
    expect(deliveries.map(({ handler }) => handler).toSorted()).toEqual(HANDLERS);
    expect(deliveries.find(({ handler }) => handler === 'fraud-check')).toEqual({
      id: expect.any(String),
      handler: 'fraud-check',
      state: 'dead',
      attempts: 3,
      reason: 'exhausted',
      finishedAt: expect.any(String),
      failures: [1, 2, 3].map((attempt) => ({
        ...failure,
        attempt,
        at: expect.any(String),
        durationMs: expect.any(Number),
        node: expect.any(String),
      })),
    });
  });

  it('answers 404 for an id that never came', async () => {
    expect(await get('/payments/unknown')).toMatchObject({
      status: 404,
      body: { message: 'there is no payment "unknown"' },
    });
  });
});

describe('dead letters', () => {
  it('hold a payment that is too large, which changes no balance, until a redrive tries it again', async () => {
    await post('/payments', payment('large', 10_000.01));
    expect(await settled('large')).toEqual({ ...allCompleted, 'fraud-check': 'dead' });
    expect(await balanceOf('user-of-large')).toBeUndefined();

    const eventId = eventIdOf('large');
    const letter = {
      handler: 'fraud-check',
      reason: 'rejected',
      attempts: 1,
      failures: [
        { name: 'PermanentError', message: 'amount exceeds limit, requires manual review', stack: expect.any(String) },
      ],
      event: { id: eventId, type: 'payment.processed', payload: { paymentId: 'large' } },
    };
    expect(await get(`/dead-letters?eventId=${eventId}`)).toMatchObject({ status: 200, body: { items: [letter] } });

    expect(await post('/dead-letters/redrive', { eventId, handler: 'fraud-check' })).toEqual({
      status: 200,
      body: { redriven: 1 },
    });
    await settled('large');
    expect(await get(`/dead-letters?eventId=${eventId}`)).toMatchObject({ body: { items: [{ failures: [{}, {}] }] } });
  });

  it('come in pages', async () => {
    for (const id of ['page-1', 'page-2']) {
      await post('/payments', payment(id, 20_000));
      await settled(id);
    }
    const { body: first } = await get('/dead-letters?handler=fraud-check&reason=rejected&limit=1');
    const { body: second } = await get(
      `/dead-letters?handler=fraud-check&reason=rejected&limit=1&after=${String(first['next'])}`,
    );
    expect([first['items'], second['items']]).toMatchObject([
      [{ event: { id: eventIdOf('page-2') } }],
      [{ event: { id: eventIdOf('page-1') } }],
    ]);
  });

  it.each([
    [{}, 'at least one condition'],
    [{ handlers: 'fraud-check' }, 'handlers'],
    [{ reason: 'bored' }, 'reason'],
  ])('are not redriven by the filter %j', async (filter, reason) => {
    expect(await post('/dead-letters/redrive', filter)).toMatchObject({
      status: 400,
      body: { message: expect.arrayContaining([expect.stringContaining(reason)]) },
    });
  });

  it.each(['limit=0', 'limit=many', 'after=x', 'reason=bored', 'colour=red'])('are not listed by %s', async (query) => {
    expect(await get(`/dead-letters?${query}`)).toMatchObject({ status: 400 });
  });
});

describe('operations', () => {
  it('GET /health/live answers without asking anybody', async () => {
    expect(await get('/health/live')).toEqual({ status: 200, body: { status: 'ok' } });
  });

  it('GET /stats counts each handler and the total', async () => {
    const { status, body } = await get('/stats');
    expect({ status, handlers: Object.keys(body['handlers'] as object).toSorted() }).toEqual({
      status: 200,
      handlers: HANDLERS,
    });
    expect(body['total']).toMatchObject({ completed: expect.any(Number), dead: expect.any(Number), circuitOpened: 0 });
  });

  it('an outage of the message service opens the circuit, /health says so, and afterwards every message gets through', async () => {
    const circuit = async () => {
      const { status, body } = await get('/health');
      const { events } = body['details'] as { events: { handlers: Record<string, { circuit: string }> } };
      return [status, events.handlers['notify-customer']?.circuit];
    };
    expect(await circuit()).toEqual([200, 'closed']);

    expect(await post('/downstream/down')).toEqual({ status: 200, body: { up: false } });
    const ids = Array.from({ length: 60 }, (_, n) => `outage-${n}`);
    for (const id of ids) await post('/payments', payment(id));
    await expect.poll(circuit, { timeout: 10_000, interval: 10 }).toEqual([200, 'open']);

    expect(await post('/downstream/up')).toEqual({ status: 200, body: { up: true } });
    await expect.poll(circuit, { timeout: 10_000 }).toEqual([200, 'closed']);
    for (const id of ids) expect(await settled(id)).toEqual(allCompleted);
  });
});
