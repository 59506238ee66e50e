/** Everything that can happen to events, once or a few times each, on one node whose time stands still. */
import { hostname } from 'node:os';
import { Injectable } from '@nestjs/common';
import {
  DeadLetters,
  DeliveryContext,
  EventHandlerRegistry,
  EventInbox,
  EventMessage,
  EventPublisher,
  EventsNode,
  OnEvent,
  PermanentError,
} from 'nestjs-durable-events';
import type { EntityManager } from 'typeorm';
import { Maintenance } from '../../libs/events/src/maintenance/maintenance.js';
import { EVENT_STORE, type EventStore } from '../../libs/events/src/store/event-store.js';
import { event } from '../../libs/events/src/testing/store-contract/scene.js';
import { manualApp, type ManualApp, type ManualAppOptions } from './manual-app.js';

/** What a handler is told to do. */
type Deed = 'return' | 'fail' | 'reject' | 'snooze' | 'wait' | 'ignore';

interface Task {
  readonly deed: Deed;
  readonly key?: string;
}

const retry = { maxAttempts: 2, backoff: 'fixed', initialDelay: '1s', jitter: 'none' } as const;
const plain = { retry, circuit: false, timeout: '5s' } as const;

/** Do as they are told in the first attempt; in later ones those that waited return. */
@Injectable()
class Doers {
  private readonly waiting: (() => void)[] = [];

  @OnEvent('day.steady', { ...plain, name: 'steady' })
  steady({ payload }: EventMessage<Task>, context: DeliveryContext): Promise<void> {
    return this.do(payload, context);
  }

  @OnEvent('day.limited', { ...plain, name: 'limited', rateLimit: { limit: 1, period: '1m' } })
  limited(): void {}

  @OnEvent('day.once', {
    ...plain,
    name: 'once',
    timeout: '1h',
    idempotency: { key: ({ payload }) => (payload as Task).key ?? '' },
  })
  once({ payload }: EventMessage<Task>, context: DeliveryContext): Promise<void> {
    return this.do(payload, context);
  }

  @OnEvent('day.fragile', {
    ...plain,
    name: 'fragile',
    circuit: { failureThreshold: 1, failureRate: 0.1, openDuration: '10s', successThreshold: 1 },
  })
  fragile({ payload }: EventMessage<Task>, context: DeliveryContext): Promise<void> {
    return this.do(payload, context, 1);
  }

  @OnEvent('day.late', { ...plain, name: 'late' })
  late(): void {}

  /** Lets all that wait return. */
  release(): void {
    for (const end of this.waiting.splice(0)) end();
  }

  private async do({ deed }: Task, context: DeliveryContext, attempt = context.attempt): Promise<void> {
    if (deed === 'reject') throw new PermanentError('no');
    if (deed === 'fail') throw new TypeError('not now');
    if (attempt > 1 || deed === 'return') return;
    if (deed === 'snooze') context.snooze('1m');
    await new Promise<void>((resolve, reject) => {
      this.waiting.push(resolve);
      if (deed === 'wait') context.signal.addEventListener('abort', () => reject(context.signal.reason as Error));
    });
  }
}

/** A day on which everything happens. Steps build on each other: `all` takes them in order. */
export class EveryFact {
  private constructor(readonly setting: ManualApp) {}

  static async begin(options: ManualAppOptions = {}): Promise<EveryFact> {
    const retention = { completed: '1s', dead: '30d' } as const;
    return new EveryFact(await manualApp([Doers], { retention, shutdownTimeout: '2s', ...options }));
  }

  async all(): Promise<void> {
    await this.publishing();
    await this.failures();
    await this.waits();
    await this.circuit();
    await this.interruptions();
    await this.operators();
    await this.upkeep();
  }

  /** Two events done, one of them published twice, one for nobody, one that another program has stored. */
  private async publishing(): Promise<void> {
    await this.publish('steady', 'return', 'a');
    await this.publish('steady', 'return', 'b');
    await this.publish('steady', 'return', 'a');
    await this.publisher.publish('day.nobody', {});
    const { version } = await this.store.loadRegistry();
    const raw = event('raw', [], { type: 'day.steady', payload: '{"deed":"return"}' });
    await this.store.append({ events: [raw], registryVersion: version - 1, now: this.setting.clock.now() });
    // The next poll finds it.
    await this.pass(2_000);
  }

  /** One is tried again after a second and then dead, one is dead at once, one would rather wait. */
  private async failures(): Promise<void> {
    await this.publish('steady', 'fail', 'exhausted');
    await this.pass(1_000);
    await this.publish('steady', 'reject', 'rejected');
    await this.publish('steady', 'snooze', 'snoozed');
  }

  /** The second of two waits for its token; of three with one key one runs. */
  private async waits(): Promise<void> {
    await this.publish('limited', 'return', 'token');
    await this.publish('limited', 'return', 'no token');
    await this.publish('once', 'wait', 'first', 'k');
    await this.publish('once', 'return', 'meanwhile', 'k');
    this.doers.release();
    await this.pass(0);
    await this.publish('once', 'return', 'afterwards', 'k');
  }

  /** Opens at a failure, tries after ten seconds, and closes. */
  private async circuit(): Promise<void> {
    await this.publish('fragile', 'fail', 'breaks');
    await this.publish('fragile', 'return', 'mends');
    await this.setting.app.get(DeadLetters).discard({ handler: 'fragile' });
    await this.pass(10_000);
  }

  /** One is cancelled, one takes 250 ms, one ignores its timeout, one loses its node. */
  private async interruptions(): Promise<void> {
    await this.publish('steady', 'wait', 'cancelled');
    const inbox = this.setting.app.get(EventInbox);
    const [{ id }] = await inbox.deliveries('cancelled');
    await inbox.cancel(id);
    await this.pass(0);

    await this.publish('steady', 'wait', 'slow');
    await this.pass(250);
    this.doers.release();

    await this.publish('steady', 'ignore', 'stubborn');
    await this.pass(6_000);
    this.doers.release();

    await this.publish('steady', 'wait', 'lost');
    await this.store.removeNode(Number(this.node.id), this.setting.clock.now());
    this.doers.release();
    await this.pass(2_000);
  }

  /** A dead letter is redriven, dies again and is discarded; a handler rests, then the node, for three seconds. */
  private async operators(): Promise<void> {
    const { app } = this.setting;
    await app.get(DeadLetters).redrive({ reason: 'rejected' });
    await this.pass(0);
    await app.get(DeadLetters).discard({ reason: 'rejected' });
    const handlers = app.get(EventHandlerRegistry);
    await handlers.pause('steady');
    await this.pass(2_000);
    await handlers.resume('steady');
    await this.pass(2_000);
    await this.node.pause();
    await this.publish('late', 'return', 'late');
    await this.pass(3_000);
    await this.node.resume();
    await this.pass(0);
  }

  /** A node of this host is gone, what is old goes, and a call fails. */
  private async upkeep(): Promise<void> {
    const maintenance = this.setting.app.get(Maintenance);
    const gone = { label: 'ghost', host: hostname(), pid: 2 ** 30 };
    await this.store.registerNode(gone, this.setting.clock.now());
    await maintenance.rescueLocal();
    await maintenance.prune();
    const foreign = {} as EntityManager;
    await this.store.append({ events: [], registryVersion: 0, now: 0 }, foreign).catch(() => undefined);
  }

  /** One runs when the node leaves. */
  async leave(): Promise<void> {
    await this.publish('steady', 'wait', 'released');
    const left = this.node.drain();
    await this.pass(2_000);
    await left;
  }

  async pass(ms: number): Promise<void> {
    await this.setting.clock.advance(ms);
  }

  async publish(handler: string, deed: Deed, id: string, key?: string): Promise<void> {
    await this.publisher.publish(`day.${handler}`, { deed, ...(key && { key }) }, { id });
    await this.pass(0);
  }

  get doers(): Doers {
    return this.setting.app.get(Doers);
  }

  get store(): EventStore {
    return this.setting.app.get(EVENT_STORE);
  }

  get node(): EventsNode {
    return this.setting.app.get(EventsNode);
  }

  private get publisher(): EventPublisher {
    return this.setting.app.get(EventPublisher);
  }
}
