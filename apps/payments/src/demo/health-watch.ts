import { setTimeout as sleep } from 'node:timers/promises';
import type { Health, ServiceClient } from './service-client.js';

const LOOK_EVERY_MS = 50;

/** Looks at `/health` all along and notes each state that differs from the one before. */
export class HealthWatch {
  /** In the order seen. */
  readonly states: string[] = [];
  /** Answers that a load balancer would have taken the service out for. */
  readonly failures: string[] = [];
  private watching = true;
  private readonly ended: Promise<void>;

  constructor(private readonly client: ServiceClient) {
    this.ended = this.watch();
  }

  async stop(): Promise<void> {
    this.watching = false;
    await this.ended;
  }

  private async watch(): Promise<void> {
    while (this.watching) {
      try {
        this.note(await this.client.health());
      } catch (error) {
        this.failures.push(`no answer: ${String(error)}`);
      }
      await sleep(LOOK_EVERY_MS);
    }
  }

  private note(health: Health): void {
    if (health.state !== this.states.at(-1)) this.states.push(health.state);
    if (health.httpStatus !== 200) this.failures.push(`HTTP ${health.httpStatus}, ${health.state}`);
  }
}
