import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

/** How long the pretended network takes, in milliseconds. */
const LATENCY_MS = 2;

/** Stands for a message service of somebody else's. It can be taken down and up, to watch what then happens. */
@Injectable()
export class Downstream {
  private available = true;

  get isUp(): boolean {
    return this.available;
  }

  takeDown(): void {
    this.available = false;
  }

  bringUp(): void {
    this.available = true;
  }

  /** Sends a message about a payment. Rejects while the service is down, and when `signal` aborts. */
  async send(_userId: string, _paymentId: string, signal: AbortSignal): Promise<void> {
    await sleep(LATENCY_MS, undefined, { signal });
    if (!this.available) throw new Error('message service unavailable');
  }
}
