/** A small application's entities, for tests that watch whose rows stay. */
import { Column, DataSource, Entity, PrimaryColumn, PrimaryGeneratedColumn, type DataSourceOptions } from 'typeorm';

@Entity()
export class Order {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column({ type: 'varchar', unique: true })
  name!: string;
}

@Entity()
export class Stock {
  @PrimaryColumn({ type: 'varchar' })
  article!: string;

  @Column({ type: 'int' })
  count!: number;
}

export async function openShop(options: DataSourceOptions): Promise<DataSource> {
  const own = { entities: [Order, Stock], synchronize: true };
  const wal = options.type === 'better-sqlite3' ? { enableWAL: true } : {};
  return new DataSource({ ...options, ...own, ...wal }).initialize();
}

export async function orderNames(dataSource: DataSource): Promise<string[]> {
  const orders = await dataSource.getRepository(Order).find({ select: { name: true } });
  return orders.map(({ name }) => name).toSorted();
}
