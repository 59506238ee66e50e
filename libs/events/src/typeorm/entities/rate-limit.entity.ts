import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A token bucket that the cluster shares. */
@Entity('rate_limit')
export class RateLimitEntity {
  @PrimaryColumn({ type: 'varchar' })
  handler!: string;

  @PrimaryColumn({ type: 'varchar' })
  key!: string;

  @Column({ type: 'float' })
  tokens!: number;

  @Column({ name: 'refilled_at', type: 'bigint' })
  refilledAt!: number;

  @Column({ name: 'next_slot', type: 'float' })
  nextSlot!: number;

  @Column({ name: 'full_at', type: 'bigint' })
  fullAt!: number;
}
