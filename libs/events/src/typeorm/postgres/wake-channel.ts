import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import type { Clock, TimerHandle } from '../../clock/clock.js';
import type { Topic } from '../../store/event-store.js';
import type { Engine } from '../engine.js';
import { query } from '../verb.js';
import { type LoneClient, nativePool } from './native-pool.js';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 30_000;

const TOPICS: readonly Topic[] = ['work', 'handlers'];

/** A notification, as `pg_notify` takes it. */
export interface Notice {
  readonly channel: string;
  readonly message: string;
}

/**
 * Tells other nodes that there is work, or that a handler has changed, by LISTEN / NOTIFY. It listens on a connection of
 * its own, since claims need the pool's. A lost connection is made again, with growing waits; then the listener is called
 * with every topic, since anything may have happened meanwhile.
 */
export class WakeChannel {
  private readonly name: string;
  private listener: ((topic: Topic) => void) | undefined;
  private client: LoneClient | undefined;
  private timer: TimerHandle;
  private failures = 0;
  private closed = false;
  private connecting: Promise<void> = Promise.resolve();

  constructor(
    private readonly source: DataSource,
    private readonly engine: Engine,
    private readonly clock: Clock,
    /** What the channel belongs to: nodes with the same tables share it. */
    tables: string,
    /** Tells this process's notifications from those of others. */
    private readonly tag: string,
  ) {
    this.name = `durable_events_${createHash('sha256').update(tables).digest('hex').slice(0, 16)}`;
  }

  async notify(topic: Topic): Promise<void> {
    const { channel, message } = this.notice(topic);
    await this.engine.run(() => query('select pg_notify($1, $2)', [channel, message]));
  }

  /** What a statement has to send to tell the other nodes with its commit. */
  notice(topic: Topic): Notice {
    return { channel: this.name, message: `${topic}:${this.tag}` };
  }

  listen(listener: (topic: Topic) => void): void {
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
      const topic = TOPICS.find((one) => payload?.startsWith(`${one}:`));
      if (topic && payload !== `${topic}:${this.tag}`) this.listener?.(topic);
    });
    try {
      await client.connect();
      await client.query(`listen ${this.name}`);
      if (this.failures > 0) for (const topic of TOPICS) this.listener?.(topic);
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
