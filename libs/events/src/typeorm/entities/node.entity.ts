import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A live process. */
@Entity('node')
export class NodeEntity {
  @PrimaryColumn({ type: 'bigint' })
  id!: number;

  @Column({ type: 'varchar' })
  label!: string;

  @Column({ type: 'varchar' })
  host!: string;

  @Column({ type: 'bigint' })
  pid!: number;

  @Column({ type: 'bigint' })
  beat!: number;

  @Column({ name: 'started_at', type: 'bigint' })
  startedAt!: number;
}
