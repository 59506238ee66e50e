/** Scope: when a claim begins behind what was claimed last, and when at the beginning. */
import { describe, expect, it } from 'vitest';
import { ClaimMark } from './claim-mark.js';

const PLACE = { priority: 50, id: 9 };

function marked(askedAt: number, answeredAt: number): ClaimMark {
  const mark = new ClaimMark();
  mark.looked(askedAt, answeredAt);
  mark.set(PLACE);
  return mark;
}

describe('a mark', () => {
  it('is none before the first claim', () => {
    expect(new ClaimMark().after(0)).toBeUndefined();
  });

  it('holds for ten times as long as the look before it took', () => {
    const mark = marked(1_000, 1_030);
    expect([1_030, 1_329, 1_330].map((now) => mark.after(now))).toEqual([PLACE, PLACE, undefined]);
  });

  it('holds for a second at most, however slow the look was', () => {
    const mark = marked(0, 5_000);
    expect([5_999, 6_000].map((now) => mark.after(now))).toEqual([PLACE, undefined]);
  });

  it('holds for no time at all after a look that took none', () => {
    expect(marked(7, 7).after(7)).toBeUndefined();
  });

  it('is gone once forgotten', () => {
    const mark = marked(0, 100);
    mark.forget();
    expect(mark.after(100)).toBeUndefined();
  });

  it('gives way to a newcomer that goes first, and to no other', () => {
    const mark = marked(0, 100);
    mark.admit(50);
    expect(mark.after(100)).toEqual(PLACE);
    mark.admit(49);
    expect(mark.after(100)).toBeUndefined();
  });
});
