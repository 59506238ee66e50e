// For people who write a store: the contract as cases that any test runner can run.
export { storeContract } from './store-contract.js';
export { runContractCase, type ContractCase, type StoreHarness } from './store-contract/contract-case.js';

// Time that stands still until it is told to move.
export { ManualClock } from './manual-clock.js';
