// Test what publishes and handles events
export { EventsTestingModule, type EventsTestingOptions } from './events-testing.module.js';
export { EventsTestKit, type Partially } from './events-test-kit.js';
export type { DeliveryOutcome } from './delivery-outcome.js';
export type { DrainOptions } from './drain.js';
export { NotIdleError } from '../errors/not-idle.error.js';

// Let things go wrong
export { EventFaults, type FaultTiming, type InjectedFault } from './faults/event-faults.js';
export { FAULT_POINTS, type Fault, type FaultPoint } from './faults/fault-point.js';

// For people who write a store: the contract as cases that any test runner can run.
export { storeContract } from './store-contract.js';
export { runContractCase, type ContractCase, type StoreHarness } from './store-contract/contract-case.js';

// Time that stands still until it is told to move.
export { ManualClock } from './manual-clock.js';
