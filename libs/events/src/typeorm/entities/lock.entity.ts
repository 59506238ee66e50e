import { Entity, PrimaryColumn } from 'typeorm';

/** A row to lock: publishes with one ordering key take turns at it. */
@Entity('lock')
export class LockEntity {
  @PrimaryColumn({ type: 'smallint' })
  id!: number;
}
