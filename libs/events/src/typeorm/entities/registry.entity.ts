import { Column, Entity, PrimaryColumn } from 'typeorm';

/** One row: the version of all handlers and subscriptions together. */
@Entity('registry')
export class RegistryEntity {
  @PrimaryColumn({ type: 'smallint' })
  id!: number;

  @Column({ type: 'bigint' })
  version!: number;
}
