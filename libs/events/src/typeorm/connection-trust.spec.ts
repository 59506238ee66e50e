import { describe, expect, it } from 'vitest';
import { ManualClock } from '../testing/manual-clock.js';
import { ConnectionTrust } from './connection-trust.js';

describe('after one connection did not answer', () => {
  it('those that were not heard of since are doubtful, new ones are not', async () => {
    const clock = new ManualClock();
    const trust = new ConnectionTrust<object>(clock);
    const [idle, busy] = [{}, {}];
    for (const one of [idle, busy]) trust.heard(one);
    expect([idle, busy].map((one) => trust.isDoubtful(one))).toEqual([false, false]);
    await clock.advance(5_000);
    trust.doubt();
    trust.heard(busy);
    expect([idle, busy, {}].map((one) => trust.isDoubtful(one))).toEqual([true, false, false]);
  });
});
