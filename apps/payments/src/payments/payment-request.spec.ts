import { describe, expect, it } from 'vitest';
import { paymentRequest } from './payment-request.js';

const body = { paymentId: 'p-1', userId: 'u-1', amount: 12.3, currency: 'EUR' };

function problems(value: unknown): string[] {
  const { error } = paymentRequest.safeParse(value);
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('paymentRequest', () => {
  it('turns the amount into cents', () => {
    const expected = { paymentId: 'p-1', userId: 'u-1', amountCents: 1_230, currency: 'EUR' };
    expect([paymentRequest.parse(body), paymentRequest.parse({ ...body, amount: '12.30' })]).toEqual([
      expected,
      expected,
    ]);
  });

  it('takes a negative amount: the fraud check is to see it', () => {
    expect(paymentRequest.parse({ ...body, amount: -5 })).toMatchObject({ amountCents: -500 });
  });

  it.each([
    [{ amount: 1.005 }, 'amount: must have at most 2 decimals and 12 digits before them, but is 1.005'],
    [{ amount: 'ten' }, 'amount: must have at most 2 decimals and 12 digits before them, but is "ten"'],
    [{ amount: null }, 'amount: must be a number, or a text such as "12.30"'],
    [{ amount: undefined }, 'amount: must be a number, or a text such as "12.30"'],
    [{ currency: 'euro' }, 'currency: must be three capital letters such as "EUR"'],
    [{ paymentId: '' }, 'paymentId: must have 1 to 100 letters, digits, "_", ".", ":" or "-"'],
    [{ userId: 7 }, 'userId: must be a text'],
    [{ userId: undefined }, 'userId: must be a text'],
  ])('refuses %j and says which field is wrong and why', (change, problem) => {
    expect(problems({ ...body, ...change })).toEqual([problem]);
  });

  it('names every wrong field at once', () => {
    expect(problems({})).toHaveLength(4);
  });

  it('refuses a field it does not know', () => {
    expect(problems({ ...body, ammount: 1 })).toEqual([expect.stringContaining('ammount')]);
  });
});
