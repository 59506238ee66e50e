/** The largest amount that needs no manual review: 10,000.00. */
export const REVIEW_LIMIT_CENTS = 1_000_000;

export type Verdict = 'fine' | 'too-large' | 'negative';

/**
 * The rule about suspicious amounts. The fraud check raises the alarm by it, and the account balance leaves such payments
 * out by it: each handler asks on its own, because handlers do not wait for one another.
 */
export function review(amountCents: number): Verdict {
  if (amountCents < 0) return 'negative';
  return amountCents > REVIEW_LIMIT_CENTS ? 'too-large' : 'fine';
}
