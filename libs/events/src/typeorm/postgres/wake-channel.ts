import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { Clock, TimerHandle } from '../../clock/clock.js';
import { type LoneClient, nativePool, TYPES } from './native-pool.js';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 30_000;

/**
 * Tells other nodes that there is work, by LISTEN / NOTIFY. It listens on a connection of its own, since claims need the
 * pool's. A lost connection is made again, with growing waits; then the listener is called once, since anything may have
 * happened meanwhile.
 */
export class WakeChannel {
  private readonly name: string;
  private listener: (() => void) | undefined;
  private client: LoneClient | undefined;
  private timer: TimerHandle;
  private failures = 0;
  private closed = false;
  private connecting: Promise<void> = Promise.resolve();

  constructor(
    private readonly source: DataSource,
    private readonly clock: Clock,
    /** What the channel belongs to: nodes with the same tables share it. */
    tables: string,
    /** Tells this process's notifications from those of others. */
    private readonly tag: string,
  ) {
    this.name = `durable_events_${createHash('sha256').update(tables).digest('hex').slice(0, 16)}`;
  }

  async notify(): Promise<void> {
    const client = await nativePool(this.source).connect();
    try {
      await client.query({ text: 'select pg_notify($1, $2)', values: [this.name, this.tag], types: TYPES });
    } finally {
      client.release();
    }
  }

  listen(listener: () => void): void {
    this.listener = listener;
    if (!this.client && this.timer === undefined) this.connecting = this.connect();
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    await this.connecting;
    const { client } = this;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }

  private async connect(): Promise<void> {
    this.timer = undefined;
    const pool = nativePool(this.source);
    const client = new pool.Client(pool.options);
    this.client = client;
    const lost = () => this.reconnect(client);
    client.on('error', lost);
    client.on('notification', ({ payload }) => {
      if (payload !== this.tag) this.listener?.();
    });
    try {
      await client.connect();
      await client.query(`listen ${this.name}`);
      if (this.failures > 0) this.listener?.();
      this.failures = 0;
    } catch {
      lost();
    }
  }

  private reconnect(client: LoneClient): void {
    if (this.client !== client) return;
    this.client = undefined;
    client.end().catch(() => undefined);
    if (this.closed) return;
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** Math.min(this.failures++, 20), LONGEST_WAIT_MS);
    this.timer = this.clock.setTimeout(() => (this.connecting = this.connect()), waitMs);
  }
}
