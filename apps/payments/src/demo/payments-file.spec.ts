import { describe, expect, it } from 'vitest';
import { expectationOf, readLines } from './payments-file.js';

const line = (paymentId: string, amount: number, userId = 'ann') =>
  JSON.stringify({ paymentId, userId, amount, currency: 'EUR' });

describe('expectationOf', () => {
  it('counts each payment once and leaves suspicious ones out of the balances', () => {
    const lines = [
      line('1', 0.1),
      line('2', 0.2),
      line('1', 0.1),
      line('3', -5),
      line('4', 10_000.01),
      line('5', 10_000, 'bob'),
    ];
    expect(expectationOf(lines)).toEqual({
      accepted: 5,
      duplicates: 1,
      refused: 0,
      tooLarge: 1,
      negative: 1,
      users: 2,
      balances: new Map([
        ['ann EUR', 30],
        ['bob EUR', 1_000_000],
      ]),
    });
  });

  it.each(['{"paymentId":"1","userId"', '{}', line('1', 1.234)])('counts %s as refused', (broken) => {
    expect(expectationOf([broken])).toMatchObject({ accepted: 0, refused: 1 });
  });

  it('finds in the checked-in file what its generator promises', () => {
    const { balances, ...counts } = expectationOf(readLines('apps/payments/data/payments.ndjson'));
    expect(counts).toEqual({ accepted: 950, duplicates: 50, refused: 3, tooLarge: 20, negative: 30, users: 20 });
    expect(balances.size).toBeGreaterThan(20);
  });
});
