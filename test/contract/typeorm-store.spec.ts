/** Scope: the TypeORM store keeps the contract of every store, on each database. */
import { describe, expect, it } from 'vitest';
import { storeContract } from '../../libs/events/src/testing/store-contract.js';
import { runContractCase } from '../../libs/events/src/testing/store-contract/contract-case.js';
import { sharedDatabases, sqliteMemory } from '../support/databases.js';
import { emptiedDatabase } from '../support/emptied-database.js';
import { typeormHarness } from '../support/typeorm-harness.js';

describe.each([['SQLite in memory', sqliteMemory] as const, ...sharedDatabases])('the contract, on %s', (_, fresh) => {
  // What is in memory is gone with its connection.
  const make = fresh === sqliteMemory ? fresh : emptiedDatabase(fresh);

  it.each(storeContract)('$name', async (contractCase) => {
    await expect(runContractCase(contractCase, () => typeormHarness(make()))).resolves.toBeUndefined();
  });
});
