import type { Delivery, StatsSnapshot } from 'nestjs-durable-events';
import { Exposition } from './exposition.js';

/** Answer to one payment. */
export interface Answer {
  readonly status: number;
  readonly body: { readonly duplicate?: boolean; readonly message?: string | readonly string[] };
}

export interface Balance {
  readonly userId: string;
  readonly currency: string;
  readonly balance: number;
}

/** What the partner has seen of the service. */
export interface PartnerUsage {
  readonly calls: number;
  readonly busiestSecond: number;
}

/** What `GET /health` says of the events. */
export interface Health {
  readonly httpStatus: number;
  readonly state: string;
}

/** The service's HTTP interface, as the demo needs it. */
export class ServiceClient {
  constructor(private readonly url: string) {}

  /** Sends a line as it is, broken or not. */
  async pay(line: string): Promise<Answer> {
    const response = await this.fetch('/payments', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: line,
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  async alive(): Promise<boolean> {
    return this.fetch('/health/live').then(
      ({ ok }) => ok,
      () => false,
    );
  }

  async health(): Promise<Health> {
    const response = await this.fetch('/health');
    const { details } = (await response.json()) as { details: { events: { state: string } } };
    return { httpStatus: response.status, state: details.events.state };
  }

  stats(): Promise<StatsSnapshot> {
    return this.get('/stats');
  }

  async metrics(): Promise<Exposition> {
    const response = await this.fetch('/metrics');
    if (!response.ok) throw new Error(`GET /metrics answered ${response.status}`);
    return new Exposition(await response.text());
  }

  partner(): Promise<PartnerUsage> {
    return this.get('/partner');
  }

  accounts(): Promise<Balance[]> {
    return this.get('/accounts');
  }

  async deliveries(paymentId: string): Promise<Delivery[]> {
    return (await this.get<{ deliveries: Delivery[] }>(`/payments/${paymentId}`)).deliveries;
  }

  async switchDownstream(to: 'up' | 'down'): Promise<void> {
    const { ok, status } = await this.fetch(`/downstream/${to}`, { method: 'POST' });
    if (!ok) throw new Error(`POST /downstream/${to} answered ${status}`);
  }

  private async get<T>(path: string): Promise<T> {
    const response = await this.fetch(path);
    if (!response.ok) throw new Error(`GET ${path} answered ${response.status}`);
    return (await response.json()) as T;
  }

  private fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, signal: AbortSignal.timeout(10_000) });
  }
}
