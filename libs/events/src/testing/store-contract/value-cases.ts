import assert from 'node:assert/strict';
import { contractCases } from './contract-case.js';
import {
  append,
  at,
  claim,
  claimOne,
  COMPLETED,
  deadLetters,
  event,
  eventIds,
  failure,
  join,
  settle,
  states,
  T0,
  until,
} from './scene.js';

/** Texts that stores stumble over. None is anything but text to a store. */
const ODD_TEXTS = [
  `Robert'); DROP TABLE event_inbox;--`,
  `"double" 'single' \`back\` $1 ? :name @p0 %s \\`,
  'ümläut 漢字 🎉 \u200D \u2028',
  '__proto__',
  'constructor',
  'null',
  '*',
  ' ',
];

/** Pairs that only an exact comparison keeps apart: case, accents, trailing space, composition, width. */
const LOOKALIKES = ['mail', 'MAIL', 'Mail', 'mäil', 'ma\u0308il', 'mail ', ' mail', 'ｍail'];

export const valueCases = contractCases('values', {
  'payloads come back to the character': async ({ store }) => {
    const node = await join(store);
    const payloads = [
      'null',
      '0',
      '""',
      '{"a": 1,  "a": 2 , "b":[ ]}',
      '{"__proto__":{"polluted":true},"constructor":{"prototype":1}}',
      '{"nul":"\\u0000","lone":"\\ud800","escaped":"\\"\\\\\\/\\b"}',
      JSON.stringify(ODD_TEXTS),
      '{"big":12345678901234567890.123456789e-400}',
      `${'['.repeat(500)}1${']'.repeat(500)}`,
    ];
    await append(
      store,
      payloads.map((payload, index) => event(`e${index}`, ['mail'], { payload })),
    );
    const claimed = await claim(store, node);
    assert.deepEqual(
      claimed.map((one) => one.event.payload),
      payloads,
    );
    for (const [index, one] of claimed.entries()) {
      assert.equal(await store.payload(one.event.seq), payloads[index]);
      assert.equal((await store.findEvent(`e${index}`))?.payload, payloads[index]);
    }
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  },

  'headers come back to the character': async ({ store }) => {
    await join(store);
    const headers = `{"__proto__": "x",  "quote\\"d":"ü \\u0000","":" "}`;
    await append(store, [event('e1', [], { headers })]);
    assert.equal((await store.findEvent('e1'))?.headers, headers);
  },

  'odd texts are only texts, wherever they stand': async ({ store }) => {
    const node = await join(store, ODD_TEXTS, `node ${ODD_TEXTS[0]}`);
    for (const text of ODD_TEXTS) {
      const delivery = { handler: text, priority: 50, orderingKey: text };
      await append(store, [event(text, [delivery], { type: text, orderingKey: text })]);
      const stored = await store.findEvent(text);
      assert.deepEqual([stored?.id, stored?.type, stored?.orderingKey], [text, text, text]);
      const claimed = await claimOne(store, node, text);
      assert.deepEqual([claimed.handler, claimed.event], [text, stored]);
      const dead = {
        outcome: 'dead',
        reason: 'exhausted',
        failure: failure(1, { name: text, message: text }),
      } as const;
      assert.ok(await settle(store, node, claimed, dead));
      const query = { eventId: text, eventType: text, handler: text };
      const [letter] = await store.listDeadLetters(query, 10);
      assert.deepEqual([letter?.handler, letter?.failures], [text, [dead.failure]]);
      assert.deepEqual(await store.redrive(query, 10, T0), [claimed.id]);
      assert.ok(await settle(store, node, await claimOne(store, node, text), COMPLETED));
      assert.deepEqual(await states(store, text), [`${text} completed`]);
    }
  },

  'ids, types, handlers and keys may have 255 characters': async ({ store }) => {
    const long = (text: string) => text.repeat(255).slice(0, 255);
    const [id, type, name, key] = [long(`'"`), long('type.'), long(`h"`), long('ключ ')];
    const node = await join(store, [name]);
    await append(store, [
      event(id, [{ handler: name, priority: 50, orderingKey: key }], { type, orderingKey: key }),
      event(`${id.slice(0, 254)}x`, []),
    ]);
    const stored = await store.findEvent(id);
    assert.deepEqual([stored?.id, stored?.type, stored?.orderingKey], [id, type, key]);
    assert.deepEqual((await append(store, [event(id)])).stored, [false]);
    assert.equal((await claimOne(store, node, name)).handler, name);
  },

  'event ids compare exactly': async ({ store }) => {
    await join(store);
    const result = await append(
      store,
      LOOKALIKES.map((id) => event(id, ['mail'])),
    );
    assert.deepEqual(
      result.stored,
      LOOKALIKES.map(() => true),
    );
    for (const id of LOOKALIKES) {
      assert.deepEqual([(await store.findEvent(id))?.id, await states(store, id)], [id, ['mail pending']]);
    }
    assert.deepEqual(
      (
        await append(
          store,
          LOOKALIKES.map((id) => event(id)),
        )
      ).stored,
      LOOKALIKES.map(() => false),
    );
  },

  'handler names compare exactly': async ({ store }) => {
    const node = await join(store, LOOKALIKES);
    assert.deepEqual((await store.loadRegistry()).handlers.map((one) => one.name).toSorted(), LOOKALIKES.toSorted());
    await append(
      store,
      LOOKALIKES.map((name) => event(`to ${name}`, [at(50, name)])),
    );
    for (const name of LOOKALIKES) assert.deepEqual(eventIds(await claim(store, node, 10, [name])), [`to ${name}`]);
    assert.deepEqual(
      (await store.backlog()).map((one) => `${one.handler}: ${one.processing}`).toSorted(),
      LOOKALIKES.map((name) => `${name}: 1`).toSorted(),
    );
  },

  'conditions on dead letters compare exactly': async ({ store }) => {
    const node = await join(store, LOOKALIKES);
    await deadLetters(
      store,
      node,
      LOOKALIKES.map((text) => event(text, [at(50, text)], { type: text })),
    );
    for (const text of LOOKALIKES) {
      for (const query of [{ eventId: text }, { eventType: text }, { handler: text }]) {
        const letters = await store.listDeadLetters(query, 10);
        assert.deepEqual(
          letters.map((letter) => letter.event.id),
          [text],
          JSON.stringify(query),
        );
      }
    }
  },

  'numbers come back as numbers, however large': async ({ store }) => {
    const node = await join(store);
    const endOfTime = 8_640_000_000_000_000;
    await append(store, [
      event('e1', [at(0)], { version: 2_147_483_647, priority: 0, occurredAt: endOfTime }),
      event('e2', [at(100)], { priority: 100, occurredAt: 0, availableAt: endOfTime }),
    ]);
    const claimed = await claimOne(store, node);
    const { version, priority, occurredAt, receivedAt } = claimed.event;
    assert.deepEqual(
      [claimed.priority, version, priority, occurredAt, receivedAt],
      [0, 2_147_483_647, 0, endOfTime, T0],
    );
    assert.deepEqual(await store.stage(T0, 10), { staged: 0, nextDueAt: endOfTime });
    const [e2] = await store.findDeliveries('e2');
    assert.deepEqual([e2?.availableAt, (await store.findEvent('e2'))?.occurredAt], [endOfTime, 0]);
  },

  'an event may have many handlers': async ({ store }) => {
    const handlers = Array.from({ length: 200 }, (_, index) => `handler-${index}`);
    const node = await join(store, handlers);
    await append(store, [event('e1', handlers)]);
    assert.deepEqual(
      await states(store, 'e1'),
      handlers.map((name) => `${name} pending`),
    );
    assert.equal((await claim(store, node, 1_000, handlers)).length, 200);
  },
});

export const lifecycleCases = contractCases('life cycle', {
  'says which database it is': ({ store }) => {
    assert.ok(store.description.length > 0);
    return Promise.resolve();
  },

  'a ping answers with the time, in whole milliseconds': async ({ store }) => {
    const time = await store.ping();
    assert.ok(Number.isSafeInteger(time) && time > 0, `${time}`);
  },

  'a second store sees what the first has written': async ({ store, another }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail'])]);
    const other = await another();
    assert.deepEqual(await other.findEvent('e1'), await store.findEvent('e1'));
    assert.equal((await claimOne(other, node)).event.id, 'e1');
    assert.deepEqual(await states(store, 'e1'), ['mail processing']);
  },

  'a notice is heard by the others, if by anybody, and not by the one that sent it': async ({ store, another }) => {
    const other = await another();
    const heard = new Set<string>();
    store.listen((topic) => heard.add(`store: ${topic}`));
    other.listen((topic) => heard.add(`other: ${topic}`));
    const patience = performance.now() + 300;
    const isSilent = () => heard.size === 0 && performance.now() > patience;
    // A listener may need a moment to get ready, and what is said meanwhile is not kept.
    await until('both have heard the other, or nobody hears', async () => {
      await store.notify('handlers');
      await other.notify('work');
      return heard.size >= 2 || isSilent();
    });
    assert.deepEqual([...heard].toSorted(), heard.size === 0 ? [] : ['other: handlers', 'store: work']);
  },
});
