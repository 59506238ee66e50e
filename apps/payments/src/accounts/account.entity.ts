import { Entity, PrimaryColumn } from 'typeorm';
import { CentsColumn } from '../payments/cents.column.js';

/** What one user has in one currency. */
@Entity()
export class Account {
  @PrimaryColumn({ type: 'varchar' })
  userId!: string;

  @PrimaryColumn({ type: 'varchar' })
  currency!: string;

  @CentsColumn()
  balanceCents!: number;
}
