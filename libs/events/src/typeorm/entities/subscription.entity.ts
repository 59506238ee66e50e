import { Entity, PrimaryColumn } from 'typeorm';

/** A pattern that a handler has on a node. */
@Entity('subscription')
export class SubscriptionEntity {
  @PrimaryColumn({ type: 'varchar' })
  handler!: string;

  @PrimaryColumn({ type: 'varchar' })
  pattern!: string;

  @PrimaryColumn({ type: 'bigint' })
  node!: number;
}
