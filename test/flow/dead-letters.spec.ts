/** What operators do with dead letters, on a clock that stands still. */
import { Injectable } from '@nestjs/common';
import { DeadLetters, EventMessage, EventPublisher, OnEvent } from 'nestjs-durable-events';
import { afterEach, expect, it } from 'vitest';
import { closeManualApps, manualApp } from '../support/manual-app.js';

afterEach(closeManualApps);

/** Fails until it is healed; then it notes when it ran. */
@Injectable()
class Mailer {
  healed = false;
  readonly sent: string[] = [];

  @OnEvent('mail.wanted', { name: 'mailer', retry: false, circuit: false })
  send({ id }: EventMessage): void {
    if (!this.healed) throw new Error(`the "mail" server does not know ${id}`, { cause: new Error('ENOTFOUND') });
    this.sent.push(id);
  }
}

async function withDeadLetters(...ids: string[]) {
  const { app, clock } = await manualApp([Mailer]);
  await app.get(EventPublisher).publishAll(ids.map((id) => ({ event: 'mail.wanted', payload: {}, id })));
  await clock.advance(0);
  const mailer = app.get(Mailer);
  mailer.healed = true;
  return { mailer, clock, deadLetters: app.get(DeadLetters) };
}

it('a redrive with a rate brings them back one after the other, oldest first, each exactly at its moment', async () => {
  const { mailer, clock, deadLetters } = await withDeadLetters('a', 'b', 'c', 'd');
  expect(await deadLetters.redrive({ handler: 'mailer' }, { rate: 0.5, limit: 3 })).toBe(3);
  await clock.advance(1_999);
  const first = [...mailer.sent];
  await clock.advance(1);
  const second = [...mailer.sent];
  await clock.advance(1_999);
  expect([first, second, mailer.sent]).toEqual([['a'], ['a', 'b'], ['a', 'b']]);
  await clock.advance(1);
  expect([mailer.sent, await deadLetters.count()]).toEqual([['a', 'b', 'c'], 1]);
});

it('they are found by what is in the records of their failures, their causes included', async () => {
  const { deadLetters } = await withDeadLetters('a', 'b');
  const found = ['"mail" server', 'does not know b', 'ENOTFOUND', 'enotfound', '%'].map(async (error) => {
    const { items } = await deadLetters.list({ error });
    return items.map(({ event }) => event.id).toSorted();
  });
  expect(await Promise.all(found)).toEqual([['a', 'b'], ['b'], ['a', 'b'], [], []]);
});

it('they are read by pages, newest first, and one by its id with its failed attempts', async () => {
  const { deadLetters } = await withDeadLetters('a', 'b', 'c');
  const first = await deadLetters.list({}, { limit: 2 });
  const second = await deadLetters.list({}, { limit: 2, after: first.next });
  expect([first, second].map(({ items, next }) => [items.map(({ event }) => event.id), next])).toEqual([
    [['c', 'b'], first.items[1].id],
    [['a'], undefined],
  ]);
  const [{ id }] = second.items;
  expect(await deadLetters.get(id)).toMatchObject({
    id,
    handler: 'mailer',
    reason: 'exhausted',
    attempts: 1,
    failures: [{ attempt: 1, name: 'Error', message: 'the "mail" server does not know a' }],
  });
  expect(await deadLetters.get('999')).toBeNull();
});
