import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A key that a handler has claimed. */
@Entity('idempotency')
export class IdempotencyEntity {
  @PrimaryColumn({ type: 'varchar' })
  handler!: string;

  @PrimaryColumn({ type: 'varchar' })
  key!: string;

  @Column({ type: 'varchar' })
  state!: string;

  @Column({ type: 'bigint' })
  owner!: number;

  @Column({ name: 'expires_at', type: 'bigint' })
  expiresAt!: number;
}
