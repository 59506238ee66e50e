import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { CentsColumn } from '../payments/cents.column.js';

/** One line of the ledger. The payment is its key: a second line for it would be an error, not a second line. */
@Entity()
export class LedgerEntry {
  @PrimaryColumn({ type: 'varchar' })
  paymentId!: string;

  @CentsColumn()
  amountCents!: number;

  @Column({ type: 'varchar' })
  currency!: string;

  /** The event's time: when the payment was taken, not when the line was written. */
  @Column()
  bookedAt!: Date;

  @CreateDateColumn()
  exportedAt!: Date;
}
