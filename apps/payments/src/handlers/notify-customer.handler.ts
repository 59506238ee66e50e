import { Injectable } from '@nestjs/common';
import { DeliveryContext, EventMessage, OnEvent } from 'nestjs-durable-events';
import { Downstream } from '../downstream/downstream.service.js';
import { type PaymentProcessed, paymentProcessed } from '../payments/payment-processed.event.js';

/**
 * Tells the customer, through a service that fails now and then. While that is down the circuit is open and deliveries
 * wait without spending attempts; only the trials spend some, so ten attempts outlast an outage of many seconds.
 */
@Injectable()
export class NotifyCustomerHandler {
  constructor(private readonly downstream: Downstream) {}

  @OnEvent(paymentProcessed, {
    name: 'notify-customer',
    timeout: '5s',
    retry: { maxAttempts: 10, initialDelay: '100ms', maxDelay: '1s' },
    circuit: { failureThreshold: 5, failureRate: 0.2, successThreshold: 3, openDuration: '500ms', window: '1s' },
  })
  async notify({ payload }: EventMessage<PaymentProcessed>, context: DeliveryContext): Promise<void> {
    await this.downstream.send(payload.userId, payload.paymentId, context.signal);
  }
}
