import { Injectable } from '@nestjs/common';
import { EventMessage, OnEvent } from 'nestjs-durable-events';
import { PARTNER_LIMIT } from '../partner/partner-limit.js';
import { Partner } from '../partner/partner.service.js';
import { type PaymentProcessed, paymentProcessed } from '../payments/payment-processed.event.js';

/**
 * Reports every payment to a partner, never faster than their contract allows, on however many nodes this runs. What is
 * over the limit waits for its moment without spending an attempt.
 */
@Injectable()
export class PartnerReportHandler {
  constructor(private readonly partner: Partner) {}

  @OnEvent(paymentProcessed, { name: 'partner-report', priority: 90, rateLimit: PARTNER_LIMIT })
  report({ payload }: EventMessage<PaymentProcessed>): void {
    this.partner.report(payload.paymentId);
  }
}
