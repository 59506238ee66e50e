import { appendCases } from './store-contract/append-cases.js';
import { claimCases } from './store-contract/claim-cases.js';
import type { ContractCase } from './store-contract/contract-case.js';
import { deadLetterCases } from './store-contract/dead-letter-cases.js';
import { fanOutCases } from './store-contract/fan-out-cases.js';
import { cancelCases, leaseCases, settleInCases } from './store-contract/lease-cases.js';
import { nodeCases, orphanCases } from './store-contract/node-cases.js';
import { backlogCases, pruneCases } from './store-contract/prune-cases.js';
import { registryCases } from './store-contract/registry-cases.js';
import { settleCases } from './store-contract/settle-cases.js';
import { stageCases } from './store-contract/stage-cases.js';
import { transactionCases } from './store-contract/transaction-cases.js';
import { lifecycleCases, valueCases } from './store-contract/value-cases.js';

/**
 * The contract of `EventStore` in code: one case a sentence, for any store and any test runner.
 *
 * ```ts
 * describe('my store keeps the contract', () => {
 *   for (const contractCase of storeContract) {
 *     it(contractCase.name, () => runContractCase(contractCase, makeHarness));
 *   }
 * });
 * ```
 */
export const storeContract: readonly ContractCase[] = [
  ...lifecycleCases,
  ...appendCases,
  ...transactionCases,
  ...fanOutCases,
  ...stageCases,
  ...claimCases,
  ...settleCases,
  ...settleInCases,
  ...leaseCases,
  ...cancelCases,
  ...nodeCases,
  ...orphanCases,
  ...registryCases,
  ...deadLetterCases,
  ...pruneCases,
  ...backlogCases,
  ...valueCases,
];
