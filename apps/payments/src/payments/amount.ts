/** Whole digits, then at most two decimals: the texts that are exact in cents. */
const AMOUNT = /^(-?)(\d{1,12})(?:\.(\d{1,2}))?$/;

/**
 * An amount of money in whole cents, or undefined when it is none: not finite, more than two decimals, over 12 digits.
 * It is read digit by digit and never multiplied, since 1.15 * 100 is not 115.
 */
export function toCents(amount: number | string): number | undefined {
  const match = AMOUNT.exec(String(amount));
  if (!match) return undefined;
  const [, sign, units, decimals = ''] = match;
  const cents = Number(`${units}${decimals.padEnd(2, '0')}`);
  return sign && cents !== 0 ? -cents : cents;
}

/** The amount as people and JSON write it; exact, because 12 digits and two decimals fit a double. */
export function fromCents(cents: number): number {
  return cents / 100;
}
