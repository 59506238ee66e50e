import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A handler of the cluster. */
@Entity('handler')
export class HandlerEntity {
  @PrimaryColumn({ type: 'varchar' })
  name!: string;

  @Column({ type: 'smallint' })
  priority!: number;

  @Column({ type: 'boolean' })
  ordered!: boolean;

  @Column({ name: 'on_dead_letter', type: 'varchar' })
  onDeadLetter!: string;

  @Column({ type: 'boolean' })
  paused!: boolean;

  @Column({ name: 'circuit_state', type: 'varchar' })
  circuitState!: string;

  @Column({ name: 'circuit_epoch', type: 'bigint' })
  circuitEpoch!: number;

  @Column({ name: 'opened_at', type: 'bigint', nullable: true })
  openedAt!: number | null;

  @Column({ type: 'integer' })
  successes!: number;

  @Column({ type: 'text', nullable: true })
  trials!: string | null;

  @Column({ name: 'first_seen', type: 'bigint' })
  firstSeen!: number;

  @Column({ name: 'last_seen', type: 'bigint' })
  lastSeen!: number;

  @Column({ name: 'retired_at', type: 'bigint', nullable: true })
  retiredAt!: number | null;

  @Column({ type: 'varchar', nullable: true })
  successor!: string | null;
}
