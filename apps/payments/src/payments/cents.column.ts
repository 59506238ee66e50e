import { Column } from 'typeorm';

/** A 64-bit integer; PostgreSQL hands those out as texts, and cents fit a double. */
export function CentsColumn(): PropertyDecorator {
  return Column({ type: 'bigint', transformer: { to: (cents: number) => cents, from: Number } });
}
