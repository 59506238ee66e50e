import assert from 'node:assert/strict';
import type { EventStore } from '../../store/event-store.js';
import type { CircuitRecord } from '../../store/handler.store.js';
import { contractCases } from './contract-case.js';
import { append, event, eventIds, HOUR, join, T0 } from './scene.js';

async function circuitOf(store: EventStore, name = 'mail'): Promise<CircuitRecord> {
  const states = await store.handlerStates();
  return states.find((one) => one.name === name)?.circuit ?? assert.fail(`${name} has no state`);
}

/** Opens and half-opens the circuit; answers the half-open one. */
async function halfOpen(store: EventStore, handler = 'mail'): Promise<CircuitRecord> {
  const { epoch } = await circuitOf(store, handler);
  await store.changeCircuit(handler, epoch, 'open', T0);
  await store.changeCircuit(handler, epoch + 1, 'half-open', T0);
  return circuitOf(store, handler);
}

export const circuitCases = contractCases('circuit', {
  'begins closed': async ({ store }) => {
    await join(store);
    const { epoch, ...circuit } = await circuitOf(store);
    assert.ok(Number.isSafeInteger(epoch) && epoch >= 0, `${epoch}`);
    assert.deepEqual(circuit, { state: 'closed', openedAt: null, successes: 0 });
  },

  'opens, half-opens and closes, each in an epoch of its own, and all stores see it': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const { epoch } = await circuitOf(store);
    const steps: CircuitRecord[] = [
      { state: 'open', epoch: epoch + 1, openedAt: T0 + 1, successes: 0 },
      { state: 'half-open', epoch: epoch + 2, openedAt: null, successes: 0 },
      { state: 'open', epoch: epoch + 3, openedAt: T0 + 3, successes: 0 },
      { state: 'half-open', epoch: epoch + 4, openedAt: null, successes: 0 },
      { state: 'closed', epoch: epoch + 5, openedAt: null, successes: 0 },
    ];
    for (const [index, circuit] of steps.entries()) {
      const change = await store.changeCircuit('mail', epoch + index, circuit.state, T0 + index + 1);
      assert.deepEqual(change, { circuit, changed: true });
      assert.deepEqual(await circuitOf(other), circuit);
    }
  },

  'what was seen in another epoch changes nothing, and is answered with the circuit as it is': async ({ store }) => {
    await join(store);
    const { epoch } = await circuitOf(store);
    await store.changeCircuit('mail', epoch, 'open', T0);
    const circuit = await circuitOf(store);
    for (const other of [epoch, epoch - 1, epoch + 2]) {
      assert.deepEqual(await store.changeCircuit('mail', other, 'half-open', T0 + 9), { circuit, changed: false });
    }
    assert.deepEqual(await circuitOf(store), circuit);
  },

  'of ten callers at once with one epoch exactly one changes it': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const { epoch } = await circuitOf(store);
    const changes = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? store : other).changeCircuit('mail', epoch, 'open', T0 + index),
      ),
    );
    const winner = changes.findIndex((change) => change?.changed);
    const circuit = { state: 'open', epoch: epoch + 1, openedAt: T0 + winner, successes: 0 } as const;
    assert.deepEqual(
      changes,
      changes.map((_, index) => ({ circuit, changed: index === winner })),
    );
  },

  'counts trials that succeed, and the last that it needs closes it': async ({ store }) => {
    await join(store);
    const circuit = await halfOpen(store);
    for (const successes of [1, 2]) {
      const counted = { circuit: { ...circuit, successes }, changed: false };
      assert.deepEqual(await store.countTrial('mail', circuit.epoch, 3), counted);
    }
    const closed = { state: 'closed', epoch: circuit.epoch + 1, openedAt: null, successes: 0 } as const;
    assert.deepEqual(await store.countTrial('mail', circuit.epoch, 3), { circuit: closed, changed: true });
    assert.deepEqual(await circuitOf(store), closed);
  },

  'counts no trial of another epoch, nor of a circuit that is not half-open': async ({ store }) => {
    await join(store);
    const closed = await circuitOf(store);
    assert.deepEqual(await store.countTrial('mail', closed.epoch, 1), { circuit: closed, changed: false });
    await store.changeCircuit('mail', closed.epoch, 'open', T0);
    const open = await circuitOf(store);
    assert.deepEqual(await store.countTrial('mail', open.epoch, 1), { circuit: open, changed: false });
    await store.changeCircuit('mail', open.epoch, 'half-open', T0);
    const circuit = await circuitOf(store);
    for (const epoch of [open.epoch, circuit.epoch + 1]) {
      assert.deepEqual(await store.countTrial('mail', epoch, 1), { circuit, changed: false });
    }
    assert.deepEqual(await circuitOf(store), circuit);
  },

  'of trials counted at once none is forgotten, and one closes it': async ({ store, another }) => {
    await join(store);
    const other = await another();
    const { epoch } = await halfOpen(store);
    const counted = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? store : other).countTrial('mail', epoch, 10)),
    );
    assert.equal(counted.filter((change) => change?.changed).length, 1);
    assert.equal((await circuitOf(store)).state, 'closed');
  },

  'a circuit that half-opens again counts from nothing': async ({ store }) => {
    await join(store);
    const { epoch } = await halfOpen(store);
    await store.countTrial('mail', epoch, 3);
    await store.changeCircuit('mail', epoch, 'open', T0);
    assert.equal((await circuitOf(store)).successes, 0);
    await store.changeCircuit('mail', epoch + 1, 'half-open', T0);
    const circuit = await circuitOf(store);
    assert.deepEqual(circuit, { state: 'half-open', epoch: epoch + 2, openedAt: null, successes: 0 });
  },

  'each handler has its own, and one that is not there has none': async ({ store }) => {
    await join(store, ['mail', 'ledger']);
    const ledger = await circuitOf(store, 'ledger');
    const { epoch } = await circuitOf(store);
    await store.changeCircuit('mail', epoch, 'open', T0);
    assert.deepEqual(await circuitOf(store, 'ledger'), ledger);
    assert.deepEqual(
      [await store.changeCircuit('nobody', epoch, 'open', T0), await store.countTrial('nobody', epoch, 1)],
      [null, null],
    );
  },

  'a claim that heeds circuits takes nothing of a handler whose circuit is not closed': async ({ store }) => {
    const node = await join(store, ['mail', 'ledger']);
    const wants = ['mail', 'ledger'].map((handler) => ({ handler, limit: 5, circuit: true }));
    const claimed = async (id: string) => {
      await append(store, [event(id, ['mail', 'ledger'])]);
      const taken = (await store.claim({ node, wants, limit: 10, suspect: true })) ?? [];
      return taken.map((one) => `${one.handler} ${one.event.id}`).toSorted();
    };
    assert.deepEqual(await claimed('e0'), ['ledger e0', 'mail e0']);
    const { epoch } = await circuitOf(store);
    await store.changeCircuit('mail', epoch, 'open', T0);
    assert.deepEqual(await claimed('e1'), ['ledger e1']);
    await store.changeCircuit('mail', epoch + 1, 'half-open', T0 + HOUR);
    assert.deepEqual(await claimed('e2'), ['ledger e2']);
    await store.changeCircuit('mail', epoch + 2, 'closed', T0 + HOUR);
    assert.deepEqual(await claimed('e3'), ['ledger e3', 'mail e1', 'mail e2', 'mail e3']);
  },

  'a claim that does not heed circuits takes what it wants': async ({ store }) => {
    const node = await join(store);
    await append(store, [event('e1', ['mail'])]);
    await store.changeCircuit('mail', (await circuitOf(store)).epoch, 'open', T0);
    const wants = [{ handler: 'mail', limit: 5, circuit: false }];
    assert.deepEqual(eventIds((await store.claim({ node, wants, limit: 5, suspect: true })) ?? []), ['e1']);
  },
});
