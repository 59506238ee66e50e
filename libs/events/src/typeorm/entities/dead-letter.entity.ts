import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A delivery that will not be tried again; it keeps the id it had. */
@Entity('dead_letter')
export class DeadLetterEntity {
  @PrimaryColumn({ type: 'bigint' })
  id!: number;

  @Column({ name: 'event_seq', type: 'bigint' })
  eventSeq!: number;

  @Column({ type: 'varchar' })
  handler!: string;

  @Column({ type: 'varchar' })
  reason!: string;

  @Column({ type: 'smallint' })
  priority!: number;

  @Column({ type: 'integer' })
  attempts!: number;

  @Column({ type: 'integer' })
  crashes!: number;

  @Column({ type: 'integer' })
  claims!: number;

  @Column({ name: 'ordering_key', type: 'varchar', nullable: true })
  orderingKey!: string | null;

  /** It keeps its lane waiting. */
  @Column({ name: 'blocking', type: 'boolean' })
  blocking!: boolean;

  @Column({ type: 'text', nullable: true })
  errors!: string | null;

  @Column({ name: 'dead_at', type: 'bigint' })
  deadAt!: number;
}
