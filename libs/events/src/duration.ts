import ms, { type StringValue } from 'ms';

/** Milliseconds, or a text that the `ms` package understands: `'250ms'`, `'30s'`, `'5m'`, `'7d'`. */
export type Duration = number | StringValue;

/** The duration in milliseconds, or undefined when it is no finite, non-negative duration. */
export function parseDuration(value: unknown): number | undefined {
  // ms() itself answers undefined for texts it cannot read and throws for empty ones and for those over 100 characters.
  const parsed =
    typeof value === 'string' && value.length > 0 && value.length <= 100 ? ms(value as StringValue) : value;
  return typeof parsed === 'number' && Number.isFinite(parsed) && parsed >= 0 ? parsed : undefined;
}
