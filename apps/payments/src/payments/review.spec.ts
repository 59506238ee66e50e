import { expect, it } from 'vitest';
import { review } from './review.js';

it.each([
  [-1, 'negative'],
  [0, 'fine'],
  [1, 'fine'],
  [1_000_000, 'fine'],
  [1_000_001, 'too-large'],
])('reviews %i cents as %s', (cents, verdict) => {
  expect(review(cents)).toBe(verdict);
});
