import type { INestApplication } from '@nestjs/common';
import { expect } from 'vitest';
import { createApp } from '../../apps/payments/src/create-app.js';
import type { DatabaseKind, OwnDatabase } from './database-kinds.js';

export const PAYMENT_HANDLERS = [
  'account-balance',
  'fraud-check',
  'ledger-export',
  'notify-customer',
  'partner-report',
  'welcome-gift',
];

/** What each handler comes to for an ordinary payment. */
export const allCompleted = Object.fromEntries(PAYMENT_HANDLERS.map((name) => [name, 'completed']));

export interface JsonAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** The demo's service in this process, on a database of its own, as its clients see it. */
export class PaymentsService {
  private constructor(
    readonly app: INestApplication,
    readonly url: string,
    private readonly database: OwnDatabase,
  ) {}

  static async start(kind: DatabaseKind): Promise<PaymentsService> {
    const database = await kind.create();
    const app = await createApp({ port: 0, database: database.options }, false);
    await app.listen(0, '127.0.0.1');
    return new PaymentsService(app, await app.getUrl(), database);
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.database.drop();
  }

  get(path: string): Promise<JsonAnswer> {
    return this.ask(path);
  }

  post(path: string, body?: unknown): Promise<JsonAnswer> {
    return this.ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  }

  /** Waits until every delivery of the payment is finished; answers handler -> state. */
  async settled(paymentId: string): Promise<Record<string, string>> {
    let states: [string, string][] = [];
    const finished = async () => {
      const { body } = await this.get(`/payments/${paymentId}`);
      const deliveries = body['deliveries'] as { handler: string; state: string }[];
      states = deliveries.map(({ handler, state }) => [handler, state]);
      const ended = states.filter(([, state]) => ['completed', 'duplicate', 'dead'].includes(state));
      return ended.length === PAYMENT_HANDLERS.length;
    };
    await expect.poll(finished, { timeout: 15_000 }).toBe(true);
    return Object.fromEntries(states);
  }

  async balanceOf(userId: string): Promise<number | undefined> {
    const response = await fetch(`${this.url}/accounts`);
    const accounts = (await response.json()) as { userId: string; balance: number }[];
    return accounts.find((account) => account.userId === userId)?.balance;
  }

  private async ask(path: string, init?: RequestInit): Promise<JsonAnswer> {
    const response = await fetch(this.url + path, init);
    return { status: response.status, body: (await response.json()) as JsonAnswer['body'] };
  }
}

/** A body for `POST /payments`. */
export function payment(paymentId: string, amount: number | string = 12.3, userId = `user-of-${paymentId}`) {
  return { paymentId, userId, amount, currency: 'EUR' };
}
