/** What an operator asks of the payments service: dead letters, health, numbers, an end; over HTTP, on every database. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventIdOf } from '../../apps/payments/src/payments/payment-processed.event.js';
import { databaseKinds, sqliteKind } from '../support/database-kinds.js';
import { allCompleted, payment, PAYMENT_HANDLERS, PaymentsService } from '../support/payments-service.js';

describe.each(databaseKinds)('the payments service on $name', (kind) => {
  let service: PaymentsService;

  beforeAll(async () => {
    service = await PaymentsService.start(kind);
  });

  afterAll(() => service?.stop());

  describe('dead letters', () => {
    it('hold a payment that is too large, which changes no balance, until a redrive tries it again', async () => {
      await service.post('/payments', payment('large', 10_000.01));
      expect(await service.settled('large')).toEqual({ ...allCompleted, 'fraud-check': 'dead' });
      expect(await service.balanceOf('user-of-large')).toBeUndefined();

      const eventId = eventIdOf('large');
      const failure = {
        name: 'PermanentError',
        message: 'amount exceeds limit, requires manual review',
        stack: expect.any(String),
      };
      const letter = {
        handler: 'fraud-check',
        reason: 'rejected',
        attempts: 1,
        failures: [failure],
        event: { id: eventId, type: 'payment.processed', payload: { paymentId: 'large' } },
      };
      expect(await service.get(`/dead-letters?eventId=${eventId}`)).toMatchObject({
        status: 200,
        body: { items: [letter] },
      });

      expect(await service.post('/dead-letters/redrive', { eventId, handler: 'fraud-check' })).toEqual({
        status: 200,
        body: { redriven: 1 },
      });
      await service.settled('large');
      expect(await service.get(`/dead-letters?eventId=${eventId}`)).toMatchObject({
        body: { items: [{ failures: [failure, failure] }] },
      });
    });

    it('come in pages', async () => {
      for (const id of ['page-1', 'page-2']) {
        await service.post('/payments', payment(id, 20_000));
        await service.settled(id);
      }
      const page = '/dead-letters?handler=fraud-check&reason=rejected&limit=1';
      const { body: first } = await service.get(page);
      const { body: second } = await service.get(`${page}&after=${String(first['next'])}`);
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
      expect(await service.post('/dead-letters/redrive', filter)).toMatchObject({
        status: 400,
        body: { message: expect.arrayContaining([expect.stringContaining(reason)]) },
      });
    });

    it.each(['limit=0', 'limit=many', 'after=x', 'reason=bored', 'colour=red'])(
      'are not listed by %s',
      async (query) => {
        expect(await service.get(`/dead-letters?${query}`)).toMatchObject({ status: 400 });
      },
    );
  });

  it('GET /health/live answers without asking anybody', async () => {
    const events = { status: 'up', node: 'running' };
    expect(await service.get('/health/live')).toEqual({
      status: 200,
      body: { status: 'ok', info: { events }, error: {}, details: { events } },
    });
  });

  it('GET /health/ready answers whether the service can do its work', async () => {
    expect(await service.get('/health/ready')).toMatchObject({
      status: 200,
      body: { details: { events: { node: 'running', roundTripMs: expect.any(Number), absent: [] } } },
    });
  });

  it('GET /metrics is the text that Prometheus scrapes', async () => {
    await service.post('/payments', payment('counted'));
    await service.settled('counted');
    const answer = await fetch(`${service.url}/metrics`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([
      200,
      'text/plain; version=0.0.4; charset=utf-8',
    ]);
    const text = await answer.text();
    expect(text).toMatch(
      /^events_deliveries_total\{event="payment\.processed",handler="\S+",outcome="completed"\} \d+$/m,
    );
    expect(text).toContain('\nevents_nodes 1\n');
  });

  it('GET /stats counts each handler and the total', async () => {
    const { status, body } = await service.get('/stats');
    expect({ status, handlers: Object.keys(body['handlers'] as object).toSorted() }).toEqual({
      status: 200,
      handlers: PAYMENT_HANDLERS,
    });
    expect(body['total']).toMatchObject({ completed: expect.any(Number), dead: expect.any(Number), circuitOpened: 0 });
  });

  it('an outage of the message service opens the circuit, /health says so, and afterwards every message gets through', async () => {
    const circuit = async () => {
      const { status, body } = await service.get('/health');
      const { events } = body['details'] as { events: { handlers: Record<string, { circuit: string }> } };
      return [status, events.handlers['notify-customer']?.circuit];
    };
    expect(await circuit()).toEqual([200, 'closed']);

    expect(await service.post('/downstream/down')).toEqual({ status: 200, body: { up: false } });
    // Few, so that the outage is short on a slow machine, too: every trial spends an attempt of the oldest message.
    const ids = Array.from({ length: 15 }, (_, n) => `outage-${n}`);
    for (const id of ids) await service.post('/payments', payment(id));
    await expect.poll(circuit, { timeout: 15_000, interval: 10 }).toEqual([200, 'open']);

    expect(await service.post('/downstream/up')).toEqual({ status: 200, body: { up: true } });
    await expect.poll(circuit, { timeout: 15_000 }).toEqual([200, 'closed']);
    for (const id of ids) expect(await service.settled(id)).toEqual(allCompleted);
  });
});

it('a service that shuts down answers 503 over a connection that a client holds open, and ends that connection', async () => {
  const service = await PaymentsService.start(sqliteKind);
  const server = service.app.getHttpServer() as Server;
  const accepted = once(server, 'connection');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const ended = once(client, 'close');
  let answer = '';
  client.on('data', (data) => (answer += String(data)));
  try {
    await accepted;
    // A closing server ends the connections that wait for their next request; this one has had none yet.
    const stopping = service.stop();
    await expect.poll(() => server.listening).toBe(false);
    client.write('GET /health/live HTTP/1.1\r\nHost: service\r\n\r\n');
    await expect.poll(() => answer).toMatch(/^HTTP\/1\.1 503 .*\r\nConnection: close\r\n/s);
    await Promise.all([ended, stopping]);
  } finally {
    client.destroy();
  }
});
