/** Scope: the TypeORM store keeps the contract of every store, on each database. */
import { describe, expect, it } from 'vitest';
import { storeContract } from '../../libs/events/src/testing/store-contract.js';
import { runContractCase } from '../../libs/events/src/testing/store-contract/contract-case.js';
import { missingPostgres, postgresSchema, sqliteFile, sqliteMemory, type TestDatabase } from '../support/databases.js';
import { typeormHarness } from '../support/typeorm-harness.js';

const noPostgres = await missingPostgres();
if (noPostgres !== undefined) console.warn(`skipped on PostgreSQL: ${noPostgres}`);

const DATABASES: readonly { name: string; make: () => TestDatabase; skipped?: boolean }[] = [
  { name: 'a SQLite file', make: sqliteFile },
  { name: 'SQLite in memory', make: sqliteMemory },
  { name: 'PostgreSQL', make: postgresSchema, skipped: noPostgres !== undefined },
];

for (const { name, make, skipped } of DATABASES) {
  describe.skipIf(skipped)(`the contract, on ${name}`, () => {
    it.each(storeContract)('$name', async (contractCase) => {
      await expect(runContractCase(contractCase, () => typeormHarness(make()))).resolves.toBeUndefined();
    });
  });
}
