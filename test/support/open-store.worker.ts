import { SystemClock } from '../../libs/events/src/clock/system-clock.js';
import { engineOptions } from '../../libs/events/src/typeorm/engine-options.js';
import { TypeOrmTransactions } from '../../libs/events/src/typeorm/transactions/typeorm-transactions.js';
import { TypeOrmStore } from '../../libs/events/src/typeorm/typeorm.store.js';
import { DataSource } from 'typeorm';

/** A process that opens the SQLite file named by its argument when it is told to, registers a node and closes it again. */
const connection = { type: 'better-sqlite3' as const, database: process.argv[2] };
const names = { tablePrefix: 'event_', schema: undefined };
const clock = new SystemClock();

async function openAndClose(): Promise<void> {
  const transactions = new TypeOrmTransactions(new DataSource(engineOptions(connection, names)), {
    clock,
    transactionTimeoutMs: 5_000,
    ownsDataSource: true,
  });
  const store = new TypeOrmStore({ connection, ...names, migrate: true, clock, transactions });
  await store.open();
  await store.registerNode({ label: 'worker', host: 'here', pid: process.pid }, clock.now());
  await store.close();
}

process.once('message', () => {
  void openAndClose().then(
    () => process.send?.('done', () => process.disconnect()),
    (error: unknown) => process.send?.(`failed: ${String(error)}`, () => process.disconnect()),
  );
});
process.send?.('ready');
