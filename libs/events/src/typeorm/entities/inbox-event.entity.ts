import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An event, stored first. */
@Entity('inbox')
export class InboxEventEntity {
  @PrimaryColumn({ type: 'bigint' })
  seq!: number;

  @Column({ type: 'varchar' })
  id!: string;

  @Column({ type: 'varchar' })
  type!: string;

  @Column({ type: 'integer' })
  version!: number;

  @Column({ type: 'text' })
  payload!: string;

  @Column({ type: 'text', nullable: true })
  headers!: string | null;

  @Column({ type: 'integer', nullable: true })
  bytes!: number | null;

  @Column({ name: 'ordering_key', type: 'varchar', nullable: true })
  orderingKey!: string | null;

  @Column({ type: 'smallint', nullable: true })
  priority!: number | null;

  @Column({ name: 'occurred_at', type: 'bigint' })
  occurredAt!: number;

  @Column({ name: 'received_at', type: 'bigint' })
  receivedAt!: number;

  @Column({ name: 'available_at', type: 'bigint', nullable: true })
  availableAt!: number | null;

  @Column({ name: 'fanned_out_at', type: 'bigint', nullable: true })
  fannedOutAt!: number | null;
}
