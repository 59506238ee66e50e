import { assert, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromCents, toCents } from './amount.js';

describe('toCents', () => {
  it.each([
    [12, 1_200],
    [12.3, 1_230],
    [1.15, 115],
    [-0.07, -7],
    [0, 0],
    [-0, 0],
    ['12.30', 1_230],
    ['007', 700],
    ['-0.00', 0],
    ['999999999999.99', 99_999_999_999_999],
  ])('reads %s as %i cents', (amount, cents) => {
    expect(toCents(amount)).toBe(cents);
  });

  it.each([NaN, Infinity, 0.1 + 0.2, 1.005, 1e21, 1e12, '', ' 1', '1,50', '.5', '1.', '1e3', '+1', '--1', '1.234'])(
    'does not read %s',
    (amount) => {
      expect(toCents(amount)).toBeUndefined();
    },
  );

  it('undoes fromCents for every amount it can read, as a number and as a text', () => {
    const most = 99_999_999_999_999;
    assert(
      property(integer({ min: -most, max: most }), (cents) => {
        const amount = fromCents(cents);
        expect([toCents(amount), toCents(amount.toFixed(2))]).toEqual([cents, cents]);
      }),
    );
  });
});
