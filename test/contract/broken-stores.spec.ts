/**
 * Scope: the store contract itself. Each store here is broken in one way, and the contract must say so by the case that
 * is named; and every case of the contract must catch some of them.
 */
import { AssertionError } from 'node:assert';
import { describe, expect, it } from 'vitest';
import { storeContract } from '../../libs/events/src/testing/store-contract.js';
import { type ContractCase, runContractCase } from '../../libs/events/src/testing/store-contract/contract-case.js';
import { chainUpkeepFaults, tokenFaults } from '../support/broken-stores/chain-faults.js';
import { circuitFaults, trialFaults } from '../support/broken-stores/circuit-faults.js';
import { deliveryFaults } from '../support/broken-stores/delivery-faults.js';
import { dueFaults } from '../support/broken-stores/due-faults.js';
import { edgeFaults } from '../support/broken-stores/edge-faults.js';
import { breakStore, type Fault } from '../support/broken-stores/fault.js';
import { handlerFaults, retireFaults } from '../support/broken-stores/handler-faults.js';
import { keyFaults } from '../support/broken-stores/key-faults.js';
import { laneFaults } from '../support/broken-stores/lane-faults.js';
import { laneLeaseFaults } from '../support/broken-stores/lane-lease-faults.js';
import { laneLetterFaults } from '../support/broken-stores/lane-letter-faults.js';
import { leaseFaults } from '../support/broken-stores/lease-faults.js';
import { letterFaults } from '../support/broken-stores/letter-faults.js';
import { publishFaults } from '../support/broken-stores/publish-faults.js';
import { upkeepFaults } from '../support/broken-stores/upkeep-faults.js';
import { memoryHarness } from '../support/memory-harness.js';

const FAULTS: readonly Fault[] = [
  ...publishFaults,
  ...deliveryFaults,
  ...leaseFaults,
  ...upkeepFaults,
  ...dueFaults,
  ...edgeFaults,
  ...handlerFaults,
  ...retireFaults,
  ...circuitFaults,
  ...trialFaults,
  ...tokenFaults,
  ...keyFaults,
  ...chainUpkeepFaults,
  ...letterFaults,
  ...laneFaults,
  ...laneLetterFaults,
  ...laneLeaseFaults,
];

/** What a case makes of a store with these verbs done wrong: its error, or undefined when it passes. */
async function verdict(contractCase: ContractCase, verbs: Fault['verbs']): Promise<unknown> {
  try {
    await runContractCase(contractCase, () =>
      memoryHarness((store, database) => breakStore(store, verbs(store, database))),
    );
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('the contract catches a store that', () => {
  it.each(FAULTS.map((one) => [one.fault, one] as const))('%s', async (_fault, { caughtBy, verbs }) => {
    const contractCase = storeContract.find((one) => one.name === caughtBy);
    // An assertion and no other error: a fault that merely crashes would prove nothing about the case.
    expect(contractCase && (await verdict(contractCase, verbs))).toBeInstanceOf(AssertionError);
  });

  it('has nothing to say against a store wrapped in the same way without a fault', async () => {
    const verdicts = await Promise.all(storeContract.map((contractCase) => verdict(contractCase, () => ({}))));
    expect(verdicts.filter((error) => error !== undefined)).toEqual([]);
  });

  it('has no case that none of the faults can fail', async () => {
    const idle = new Set(storeContract);
    for (const { verbs } of FAULTS) {
      const verdicts = [...idle].map(async (contractCase) => {
        if ((await verdict(contractCase, verbs)) instanceof AssertionError) idle.delete(contractCase);
      });
      await Promise.all(verdicts);
    }
    expect([...idle].map((contractCase) => contractCase.name)).toEqual([]);
  });
});
