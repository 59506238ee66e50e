import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { EventInbox, EventPublisher } from 'nestjs-durable-events';
import { Repository } from 'typeorm';
import type { PaymentRequest } from './payment-request.js';
import { eventIdOf, paymentProcessed } from './payment-processed.event.js';
import { Payment } from './payment.entity.js';

@Injectable()
export class PaymentsService {
  constructor(
    @InjectRepository(Payment) private readonly payments: Repository<Payment>,
    private readonly publisher: EventPublisher,
    private readonly inbox: EventInbox,
  ) {}

  /**
   * Stores the payment and publishes `payment.processed`: both or neither. Of a payment id that came before nothing is
   * stored, whatever else the request says: the first one stands.
   */
  accept(request: PaymentRequest): Promise<{ duplicate: boolean }> {
    const { paymentId: id, ...rest } = request;
    return this.publisher.transaction(async (manager) => {
      // The table knows every payment ever; the inbox only those that retention keeps. But of two requests at the same
      // moment neither is in the table yet, and the inbox takes one of them.
      if (await manager.existsBy(Payment, { id })) return { duplicate: true };
      const { duplicate } = await this.publisher.publish(paymentProcessed, request, { id: eventIdOf(id) });
      if (!duplicate) await manager.insert(Payment, { id, ...rest });
      return { duplicate };
    });
  }

  /** The payment and what has become of its event, or null for an id that never came. */
  async find(id: string) {
    const payment = await this.payments.findOneBy({ id });
    return payment && { payment, deliveries: await this.inbox.deliveries(eventIdOf(id)) };
  }
}
