/** Scope: any event at all comes back from every store as it was published, or is refused with one of our own errors. */
import * as fc from 'fast-check';
import { EventsError, type PublishOptions } from 'nestjs-durable-events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HostileApp, hostileApps } from '../support/hostile-app.js';

const SEED = 20261121;

/** Every unit of UTF-16, so NUL and halves of pairs too; and what is special to databases, patterns and templates. */
const unit = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...`abcé漢 .'"\\\`%_$?:;*{}-\n\t`.split('')) },
  { weight: 2, arbitrary: fc.constantFrom('\0', '\ud800', '\udc00', '\u{1f600}', '\uffff', '\u2028', '\u007f') },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) },
);
const text = (maxLength: number) => fc.string({ unit, maxLength });
const key = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toJSON', ''), text(10));
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text(20),
    fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer(), fc.maxSafeInteger()),
    fc.constantFrom(null, true, false),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries)),
  ),
})).value;
/** What no JSON can carry is among it. */
const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
});

const published = fc.record({
  type: fc.oneof({ weight: 4, arbitrary: fc.constant('fuzz.event') }, text(260)),
  payload: fc.oneof({ weight: 5, arbitrary: json }, anything),
  id: fc.option(text(260), { nil: undefined }),
  orderingKey: fc.option(text(260), { nil: undefined }),
  headers: fc.option(
    fc.array(fc.tuple(key, text(20)), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
    { nil: undefined },
  ),
});

describe.each(hostileApps)(`on %s, seed ${SEED}`, (_, open) => {
  let hostile: HostileApp;
  beforeAll(async () => {
    hostile = await open();
  });
  afterAll(() => hostile?.close());

  it('random events come back as they were, or are refused with an error of ours', async () => {
    const tally = { taken: 0, refused: 0 };
    const check = async ({ type, payload, ...options }: { type: string; payload: unknown } & PublishOptions) => {
      const { publisher, inbox } = hostile;
      const receipt = await publisher.publish(type, payload, options).catch((error: unknown) => {
        // Any other error fails the run.
        if (!(error instanceof EventsError)) throw error;
        tally.refused++;
      });
      if (!receipt || receipt.duplicate) return;
      const { id } = receipt;
      const stored = await inbox.get(id);
      const asJson = { payload: JSON.stringify(stored?.payload), headers: JSON.stringify(stored?.headers) };
      expect({ id, type: stored?.type, orderingKey: stored?.orderingKey, ...asJson }).toEqual({
        id: options.id ?? id,
        type,
        orderingKey: options.orderingKey,
        payload: JSON.stringify(payload),
        headers: JSON.stringify(options.headers ?? {}),
      });
      tally.taken++;
    };
    await fc.assert(fc.asyncProperty(published, check), { seed: SEED, numRuns: 400 });
    // The random events are neither all good nor all bad; and the tables still hold those that were taken.
    expect([tally.taken > 50, tally.refused > 50]).toEqual([true, true]);
    expect([undefined, tally.taken]).toContain(await hostile.count('inbox'));
    await expect.poll(() => hostile.seen.size, { timeout: 30_000 }).toBe(tally.taken);
  });
});
