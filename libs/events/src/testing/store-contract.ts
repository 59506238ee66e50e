import { adoptCases } from './store-contract/adopt-cases.js';
import { appendCases } from './store-contract/append-cases.js';
import { circuitCases } from './store-contract/circuit-cases.js';
import { claimCases } from './store-contract/claim-cases.js';
import type { ContractCase } from './store-contract/contract-case.js';
import { deadLetterCases } from './store-contract/dead-letter-cases.js';
import { dueCases } from './store-contract/due-cases.js';
import { fanOutCases } from './store-contract/fan-out-cases.js';
import { handlerCases } from './store-contract/handler-cases.js';
import { keyCases } from './store-contract/key-cases.js';
import { laneCases } from './store-contract/lane-cases.js';
import { laneLeaseCases } from './store-contract/lane-lease-cases.js';
import { laneLetterCases } from './store-contract/lane-letter-cases.js';
import { cancelCases, heldLeaseCases, leaseCases, settleInCases } from './store-contract/lease-cases.js';
import { nodeCases, orphanCases } from './store-contract/node-cases.js';
import { noticeCases } from './store-contract/notice-cases.js';
import { backlogCases, pruneCases } from './store-contract/prune-cases.js';
import { pruneChainCases } from './store-contract/prune-chain-cases.js';
import { rateSlotCases } from './store-contract/rate-slot-cases.js';
import { redriveCases } from './store-contract/redrive-cases.js';
import { registryCases } from './store-contract/registry-cases.js';
import { retireCases } from './store-contract/retire-cases.js';
import { settleCases } from './store-contract/settle-cases.js';
import { stageCases } from './store-contract/stage-cases.js';
import { tokenCases } from './store-contract/token-cases.js';
import { transactionCases } from './store-contract/transaction-cases.js';
import { trialCases } from './store-contract/trial-cases.js';
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
  ...rateSlotCases,
  ...leaseCases,
  ...heldLeaseCases,
  ...cancelCases,
  ...nodeCases,
  ...orphanCases,
  ...registryCases,
  ...handlerCases,
  ...retireCases,
  ...adoptCases,
  ...circuitCases,
  ...trialCases,
  ...tokenCases,
  ...keyCases,
  ...deadLetterCases,
  ...redriveCases,
  ...dueCases,
  ...laneCases,
  ...laneLetterCases,
  ...laneLeaseCases,
  ...noticeCases,
  ...pruneCases,
  ...pruneChainCases,
  ...backlogCases,
  ...valueCases,
];
