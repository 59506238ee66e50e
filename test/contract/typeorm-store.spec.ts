/** Scope: the TypeORM store keeps the contract of every store, on each database. */
import { describe, expect, it } from 'vitest';
import { storeContract } from '../../libs/events/src/testing/store-contract.js';
import { runContractCase } from '../../libs/events/src/testing/store-contract/contract-case.js';
import { hasPostgres, postgresSchema, sqliteFile, sqliteMemory } from '../support/databases.js';
import { typeormHarness } from '../support/typeorm-harness.js';

describe.each([
  ['a SQLite file', sqliteFile, true],
  ['SQLite in memory', sqliteMemory, true],
  ['PostgreSQL', postgresSchema, hasPostgres],
] as const)('the contract, on %s', (_, make, isThere) => {
  it.skipIf(!isThere).each(storeContract)('$name', async (contractCase) => {
    await expect(runContractCase(contractCase, () => typeormHarness(make()))).resolves.toBeUndefined();
  });
});
