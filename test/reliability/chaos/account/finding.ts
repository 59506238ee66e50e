/** A promise that was broken. */
export interface Finding {
  readonly kind: 'lost' | 'phantom' | 'doubleEffects' | 'orderViolations' | 'overlapping' | 'stuck';
  readonly event: string;
  readonly handler?: string;
  readonly what: string;
}
