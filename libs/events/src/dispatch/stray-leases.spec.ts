import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { HeldLease } from '../store/records.js';
import { ManualClock } from '../testing/manual-clock.js';
import { StrayLeases } from './stray-leases.js';

const NODE = 1;
const lease = (id: number): HeldLease => ({ id, claims: 1, handler: 'h', seq: id, rateSlot: null });
const lost = new Error('the answer was lost');

describe('StrayLeases', () => {
  let clock: ManualClock;
  let held: HeldLease[];
  const heldLeases = vi.fn<(node: number) => Promise<HeldLease[]>>(async () => held);
  let strays: StrayLeases;

  beforeEach(() => {
    clock = new ManualClock();
    held = [lease(1), lease(2), lease(3)];
    heldLeases.mockClear();
    strays = new StrayLeases({ heldLeases }, clock, { warn: () => undefined });
  });

  const failClaim = () => expect(strays.watch(() => Promise.reject(lost))).rejects.toBe(lost);
  const find = () => strays.find(NODE, () => [lease(2)]);

  it('asks nothing while every claim is answered', async () => {
    expect(await strays.watch(async () => 'answer')).toBe('answer');
    expect(await find()).toEqual([]);
    expect(heldLeases).not.toHaveBeenCalled();
  });

  it('finds, after a claim that failed, what the node holds and does not know', async () => {
    await failClaim();
    expect(await find()).toEqual([lease(1), lease(3)]);
    expect(heldLeases).toHaveBeenCalledWith(NODE);
  });

  it('asks again every 5 s for half a minute: the claim may still be under way in the server', async () => {
    await failClaim();
    let asked = 0;
    for (let second = 0; second <= 60; second++) {
      await find();
      if (second % 5 === 0 && second <= 30) asked++;
      expect(heldLeases).toHaveBeenCalledTimes(asked);
      await clock.advance(1_000);
    }
  });

  it('a question that fails is asked again', async () => {
    await failClaim();
    heldLeases.mockRejectedValueOnce(lost);
    await expect(find()).rejects.toBe(lost);
    expect(await find()).toEqual([lease(1), lease(3)]);
  });
});
