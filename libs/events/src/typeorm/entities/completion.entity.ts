import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A finished delivery. */
@Entity('completion')
export class CompletionEntity {
  @PrimaryColumn({ name: 'event_seq', type: 'bigint' })
  eventSeq!: number;

  @PrimaryColumn({ type: 'bigint' })
  id!: number;

  @Column({ type: 'varchar' })
  handler!: string;

  @Column({ type: 'varchar' })
  outcome!: string;

  @Column({ type: 'integer' })
  attempts!: number;

  @Column({ name: 'duration_ms', type: 'bigint', nullable: true })
  durationMs!: number | null;

  @Column({ name: 'finished_at', type: 'bigint' })
  finishedAt!: number;

  @Column({ type: 'text', nullable: true })
  errors!: string | null;
}
