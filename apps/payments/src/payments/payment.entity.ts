import { Column, CreateDateColumn, Entity, PrimaryColumn } from 'typeorm';
import { CentsColumn } from './cents.column.js';

/** A payment as it came in. */
@Entity()
export class Payment {
  @PrimaryColumn({ type: 'varchar' })
  id!: string;

  @Column({ type: 'varchar' })
  userId!: string;

  @CentsColumn()
  amountCents!: number;

  @Column({ type: 'varchar' })
  currency!: string;

  @CreateDateColumn()
  createdAt!: Date;
}
