import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A live delivery: one event for one handler, unfinished. */
@Entity('delivery')
export class DeliveryEntity {
  @PrimaryColumn({ type: 'bigint' })
  id!: number;

  @Column({ name: 'event_seq', type: 'bigint' })
  eventSeq!: number;

  @Column({ type: 'varchar' })
  handler!: string;

  @Column({ type: 'smallint' })
  priority!: number;

  @Column({ name: 'available_at', type: 'bigint', nullable: true })
  availableAt!: number | null;

  @Column({ name: 'lease_node', type: 'bigint', nullable: true })
  leaseNode!: number | null;

  @Column({ type: 'integer' })
  claims!: number;

  @Column({ type: 'integer' })
  attempts!: number;

  @Column({ type: 'integer' })
  crashes!: number;

  @Column({ name: 'ordering_key', type: 'varchar', nullable: true })
  orderingKey!: string | null;

  @Column({ name: 'lane_wait', type: 'boolean' })
  laneWait!: boolean;

  @Column({ type: 'text', nullable: true })
  errors!: string | null;

  @Column({ name: 'rate_slot', type: 'bigint', nullable: true })
  rateSlot!: number | null;

  /** Null = since its event was received. */
  @Column({ name: 'due_at', type: 'bigint', nullable: true })
  dueAt!: number | null;
}
