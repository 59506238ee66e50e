/**
 * A complete spec of a team's own handler, written to be copied: time stands still, nothing sleeps, no database is needed.
 * The handler charges payments: it retries what may pass, buries what will not, stops calling a provider that is down, and
 * publishes what follows.
 */
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import {
  type DeadLetter,
  DeadLetters,
  defineEvent,
  EventMessage,
  EventPublisher,
  OnDeadLetter,
  OnEvent,
  PermanentError,
} from 'nestjs-durable-events';
import { EventsTestingModule, EventsTestKit } from 'nestjs-durable-events/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

// ----- what a team has in its own folders

interface Payment {
  paymentId: string;
  amount: number;
}

const paymentRequested = defineEvent<Payment>({ type: 'payment.requested' });
const paymentCharged = defineEvent<Payment & { chargeId: string }>({ type: 'payment.charged' });

abstract class PaymentProvider {
  abstract charge(payment: Payment): Promise<{ chargeId: string }>;
}

@Injectable()
class PaymentHandler {
  constructor(
    private readonly provider: PaymentProvider,
    private readonly publisher: EventPublisher,
  ) {}

  @OnEvent(paymentRequested, {
    name: 'charge',
    retry: { maxAttempts: 3, backoff: 'fixed', initialDelay: '10s', jitter: 'none' },
    circuit: { failureThreshold: 5, failureRate: 0.5, openDuration: '1m', successThreshold: 1 },
  })
  async charge(event: EventMessage<Payment>): Promise<void> {
    const payment = event.payload;
    if (payment.amount <= 0) throw new PermanentError('there is nothing to charge');
    const { chargeId } = await this.provider.charge(payment);
    await this.publisher.publish(paymentCharged, { ...payment, chargeId });
  }
}

@Injectable()
class Support {
  readonly told: string[] = [];

  @OnDeadLetter(undefined, { name: 'support' })
  tell(event: EventMessage<DeadLetter>): void {
    const { handler, reason, event: original } = event.payload;
    this.told.push(`${handler} ${reason} ${original.id}`);
  }
}

// ----- its spec

/** A provider that answers as the test says, and remembers who was charged. */
class FakeProvider extends PaymentProvider {
  readonly charged: string[] = [];
  down = false;

  charge({ paymentId }: Payment): Promise<{ chargeId: string }> {
    this.charged.push(paymentId);
    return this.down ? Promise.reject(new Error('503')) : Promise.resolve({ chargeId: `ch-${paymentId}` });
  }
}

describe('PaymentHandler', () => {
  let app: TestingModule;
  let kit: EventsTestKit;
  let publisher: EventPublisher;
  let provider: FakeProvider;

  beforeEach(async () => {
    provider = new FakeProvider();
    app = await Test.createTestingModule({
      imports: [EventsTestingModule.forRoot()],
      providers: [PaymentHandler, Support, { provide: PaymentProvider, useValue: provider }],
    }).compile();
    app.useLogger(false);
    await app.init();
    kit = app.get(EventsTestKit);
    publisher = app.get(EventPublisher);
  });
  afterEach(() => app.close());

  const request = (paymentId: string, amount = 20) =>
    publisher.publish(paymentRequested, { paymentId, amount }, { id: paymentId });

  it('charges a payment and says so', async () => {
    await request('p-1');
    await kit.drain();

    expect(provider.charged).toEqual(['p-1']);
    kit.expectPublished(paymentCharged, { paymentId: 'p-1', chargeId: 'ch-p-1' });
    kit.expectOutcome('charge', { eventId: 'p-1', outcome: 'completed', attempts: 1 });
  });

  it('tries again after ten seconds, and not before', async () => {
    provider.down = true;
    await request('p-1');
    await kit.drain();
    expect(kit.outcomes('charge')).toMatchObject([{ outcome: 'scheduled', attempts: 1, errors: ['Error: 503'] }]);

    provider.down = false;
    await kit.clock.advance('9999ms');
    expect(provider.charged).toEqual(['p-1']);
    await kit.clock.advance(1);
    kit.expectOutcome('charge', { outcome: 'completed', attempts: 2 });
  });

  it('gives up after three attempts: support is told, nothing follows, and it can be redriven', async () => {
    provider.down = true;
    await request('p-1');
    await kit.drain({ advance: true });

    expect(kit.outcomes()).toMatchObject([
      { handler: 'charge', outcome: 'dead', reason: 'exhausted', attempts: 3, errors: Array(3).fill('Error: 503') },
      { handler: 'support', eventType: 'events.dead-letter', outcome: 'completed' },
    ]);
    expect(app.get(Support).told).toEqual(['charge exhausted p-1']);
    expect(kit.published(paymentCharged)).toEqual([]);

    provider.down = false;
    await app.get(DeadLetters).redrive({ handler: 'charge' });
    await kit.drain();
    kit.expectPublished(paymentCharged, { paymentId: 'p-1' });
  });

  it('buries at once what can never be charged', async () => {
    await request('p-1', 0);
    await kit.drain();
    kit.expectOutcome('charge', { outcome: 'dead', reason: 'rejected', attempts: 1, errors: [/nothing to charge/] });
    expect(provider.charged).toEqual([]);
  });

  it('leaves a provider that is down alone for a minute, and loses nothing', async () => {
    provider.down = true;
    for (let n = 1; n <= 8; n++) await request(`p-${n}`);
    await kit.drain();
    const triedAtFirst = provider.charged.length;
    provider.down = false;
    await kit.clock.advance('59s');
    expect(provider.charged).toHaveLength(triedAtFirst);

    await kit.drain({ advance: true });
    expect(kit.published(paymentCharged).map(({ payload }) => payload.paymentId)).toHaveLength(8);
    expect(kit.outcomes('charge').every(({ outcome }) => outcome === 'completed')).toBe(true);
  });

  it('charges again when the node loses the outcome of a charge: the provider must know the payment', async () => {
    kit.faults.inject('after handler', { error: new Error('connection reset') });
    await request('p-1');
    await kit.drain({ advance: true });

    expect(provider.charged).toEqual(['p-1', 'p-1']);
    kit.expectOutcome('charge', { outcome: 'completed', attempts: 2, errors: ['Error: connection reset'] });
  });
});
