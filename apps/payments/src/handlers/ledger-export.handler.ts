import { Injectable } from '@nestjs/common';
import { DeliveryContext, EventMessage, OnEvent } from 'nestjs-durable-events';
import { LedgerEntry } from '../ledger/ledger-entry.entity.js';
import { type PaymentProcessed, paymentProcessed } from '../payments/payment-processed.event.js';

/** Writes a ledger line for every payment, suspicious ones included: the ledger says what came in. */
@Injectable()
export class LedgerExportHandler {
  @OnEvent(paymentProcessed, { name: 'ledger-export', priority: 80 })
  async export({ payload, occurredAt }: EventMessage<PaymentProcessed>, context: DeliveryContext): Promise<void> {
    const { paymentId, amountCents, currency } = payload;
    await context.transaction((manager) =>
      manager.insert(LedgerEntry, { paymentId, amountCents, currency, bookedAt: occurredAt }),
    );
  }
}
