/** What travels with an event without spans: correlation, and contexts that nobody records. */
import { AlwaysOffSampler, type Sampler, type SpanProcessor } from '@opentelemetry/sdk-trace-node';
import { EventInvoker } from 'nestjs-durable-events';
import { describe, expect, it } from 'vitest';
import { register, start } from '../support/traced-orders.js';

describe('correlation', () => {
  it('goes from an event to all that go back to it, without any SDK; causation is one step', async () => {
    const { kit, publisher, inbox, orders } = await start();
    orders.work = async () => {
      await publisher.publish('mail.due', {});
      await publisher.publishAll([{ event: 'mail.due', payload: {} }]);
      await publisher.publish('mail.due', {}, { headers: { 'correlation-id': 'mine' } });
      await publisher.publish('mail.due', {}, { headers: { 'causation-id': 'mine' } });
    };
    const first = await publisher.publish('order.placed', {});
    const second = await publisher.publish('order.placed', {}, { headers: { 'correlation-id': 'request-1' } });
    await kit.drain();
    const root = await inbox.get(first.id);
    expect([root?.correlationId, root?.causationId, root?.headers]).toEqual([undefined, undefined, {}]);
    const ids = orders.mails.map(({ correlationId, causationId }) => `${correlationId} by ${causationId}`);
    const of = (correlation: string, { id }: { id: string }) => [
      `${correlation} by ${id}`,
      `${correlation} by ${id}`,
      `mine by ${id}`,
      `${correlation} by mine`,
    ];
    expect(ids.toSorted(byText)).toEqual([...of(first.id, first), ...of('request-1', second)].toSorted(byText));
    expect(orders.mails[0].headers).toEqual({ 'correlation-id': first.id, 'causation-id': first.id });
  });

  it('also comes from direct calls, and does not stay behind', async () => {
    const { app, publisher, inbox, orders } = await start();
    orders.work = async () => {
      await publisher.publish('mail.due', {}, { id: 'm-1' });
    };
    await app.get(EventInvoker).invoke('orders', 'order.placed', {}, { id: 'o-1' });
    await publisher.publish('mail.due', {}, { id: 'm-2' });
    const mails = [await inbox.get('m-1'), await inbox.get('m-2')];
    expect(mails.map((mail) => [mail?.correlationId, mail?.causationId])).toEqual([
      ['o-1', 'o-1'],
      [undefined, undefined],
    ]);
  });
});

describe('without spans', () => {
  it('nothing is stored with an event when no SDK is registered', async () => {
    const { kit, publisher, inbox } = await start();
    const { id } = await publisher.publish('order.placed', {});
    await kit.drain();
    expect((await inbox.get(id))?.headers).toEqual({});
    kit.expectOutcome('orders', { outcome: 'completed' });
  });

  it.each([
    ['link', undefined],
    ['parent', expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)],
  ] as const)(
    'an unsampled trace goes on for %s only if it is needed, and no failure names it',
    async (parent, header) => {
      const traces = register({ sampler: new AlwaysOffSampler() });
      const { kit, publisher, inbox, orders } = await start({ tracing: { parent } });
      orders.work = (_event, { attempt }) => {
        if (attempt === 1) throw new Error('down');
      };
      const { id } = await publisher.publish('order.placed', {});
      await kit.drain({ advance: true });
      expect((await inbox.get(id))?.headers['traceparent']).toEqual(header);
      const [{ failures }] = await inbox.deliveries(id);
      expect(failures.map((failure) => 'trace' in failure)).toEqual([false]);
      expect(traces.spans).toEqual([]);
    },
  );

  it('a sampler or a processor that throws changes nothing, and is said once', async () => {
    const said: string[] = [];
    for (const parts of [{ sampler: brokenSampler }, { processors: [brokenProcessor] }]) {
      const traces = register(parts);
      const { kit, log, publisher } = await start();
      await publisher.publish('order.placed', {});
      await publisher.publishAll([{ event: 'mail.due', payload: {} }]);
      await kit.drain();
      kit.expectOutcome('orders', { outcome: 'completed', attempts: 1 });
      kit.expectOutcome('mails', { outcome: 'completed', attempts: 1 });
      said.push(...log.matching(/tracing failed/));
      traces.close();
    }
    expect(said).toEqual(['error: tracing failed (said once)']);
  });
});

const byText = (a: string, b: string) => a.localeCompare(b);
const fail = () => {
  throw new Error('broken');
};
const brokenSampler: Sampler = { shouldSample: fail };
const brokenProcessor: SpanProcessor = {
  onStart: fail,
  onEnd: fail,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};
