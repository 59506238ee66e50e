/** What the seed of a chaos run decides: its faults, and what is published. And how its flags are read. */
import { describe, expect, it } from 'vitest';
import { commandOf, readChaosOptions } from './chaos.options.js';
import { planFaults } from './fault-plan.js';
import { planPublishing, type PlannedTransaction } from './publish-plan.js';
import { Random } from './random.js';
import { LEASE_MS } from './scenario.js';

describe('the faults of a run', () => {
  const CLUSTER = { nodes: 3, publishers: 2, restarts: false };
  const plan = (seed: number) => planFaults({ ...CLUSTER, seed, seconds: 600 });

  it('are the same for the same seed, and others for another', () => {
    expect(plan(1)).toEqual(plan(1));
    expect(plan(2)).not.toEqual(plan(1));
  });

  it('are of every kind, on every process, in time', () => {
    const faults = plan(1);
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(['kill', 'pause', 'terminate', 'cut']));
    expect(new Set(faults.map(({ target }) => target))).toEqual(new Set([0, 1, 2, 3, 4]));
    expect(faults.map(({ atMs }) => atMs)).toEqual(faults.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
  });

  it('are of every kind in a short run too, whatever its seed', () => {
    for (let seed = 0; seed < 200; seed++) {
      const kinds = planFaults({ ...CLUSTER, seed, seconds: 25 }).map(({ kind }) => kind);
      expect(new Set(kinds), `seed ${seed}`).toEqual(new Set(['kill', 'pause', 'terminate', 'cut']));
    }
  });

  it('crash the server only where it belongs to the run', () => {
    const faults = planFaults({ ...CLUSTER, seed: 1, seconds: 60, restarts: true });
    expect(faults.filter(({ kind }) => kind === 'restart').length).toBeGreaterThan(1);
  });

  it('cut nobody off while one is silent for longer than the lease, nor silence a second one', () => {
    const faults = plan(1);
    const silences = faults.filter(({ kind, forMs }) => kind === 'pause' && forMs > LEASE_MS);
    expect(silences.length).toBeGreaterThan(20);
    const meanwhile = silences.flatMap((silence) =>
      faults.filter(
        (fault) => fault !== silence && fault.atMs >= silence.atMs && fault.atMs < silence.atMs + silence.forMs,
      ),
    );
    expect(new Set(meanwhile.map(({ kind }) => kind))).toEqual(new Set(['kill', 'pause', 'terminate']));
    const pauses = meanwhile.filter(({ kind }) => kind === 'pause').map(({ forMs }) => forMs);
    expect(Math.max(...pauses)).toBeLessThan(LEASE_MS / 2);
  });
});

describe('what a publisher does', () => {
  const plan = (seed: number): PlannedTransaction[] => {
    const planned = planPublishing('publisher-1.1', new Random(seed));
    return Array.from({ length: 1_000 }, () => planned.next().value);
  };

  it('is the same for the same seed, and something else for another', () => {
    expect(plan(1)).toEqual(plan(1));
    expect(plan(2)).not.toEqual(plan(1));
  });

  it('has all routes, rollbacks of transactions of its own, and ids again that were rolled back or committed', () => {
    const transactions = plan(1);
    expect(new Set(transactions.map(({ route }) => route))).toEqual(new Set(['ambient', 'manager', 'all', 'single']));
    const rolledBack = transactions.filter(({ rollBack }) => rollBack);
    expect(new Set(rolledBack.map(({ route }) => route))).toEqual(new Set(['ambient', 'manager']));
    const isAgain = ({ tx }: PlannedTransaction, id: string) => !id.startsWith(`${tx}-`);
    const again = transactions.flatMap((planned) => planned.events.filter(({ id }) => isAgain(planned, id)));
    const gone = new Set(rolledBack.flatMap(({ events }) => events.map(({ id }) => id)));
    expect(again.some(({ id }) => gone.has(id))).toBe(true);
    expect(again.some(({ id }) => !gone.has(id))).toBe(true);
  });
});

describe('the flags', () => {
  it('say which database, for how long, and with which seed', () => {
    const options = readChaosOptions(['--db', 'postgres', '--minutes', '1.5', '--seed', '7', '--json']);
    expect(options).toEqual({ db: 'postgres', server: 'shared', seconds: 90, seed: 7, json: true });
    expect(commandOf(options)).toBe('npm run chaos -- --db postgres --seconds 90 --seed 7');
    expect(readChaosOptions([])).toMatchObject({ db: 'sqlite', seconds: 60, json: false });
    const own = readChaosOptions(['--db', 'mariadb', '--server', 'own', '--seed', '1']);
    expect(commandOf(own)).toBe('npm run chaos -- --db mariadb --server own --seconds 60 --seed 1');
  });

  it.each([
    [['--seconds', '0'], '--seconds must be a number above 0, not 0'],
    [['--minutes', 'ten'], '--minutes must be a number above 0, not ten'],
    [['--minutes', '1', '--seconds', '1'], 'give --minutes or --seconds, not both'],
    [['--seed', '1.5'], '--seed must be a whole number from 0, not 1.5'],
    [['--server', 'mine'], '--server must be shared or own, not mine'],
    [['--sed', '1'], "Unknown option '--sed'"],
  ])('%j are refused', (args, message) => {
    expect(() => readChaosOptions(args)).toThrow(message);
  });
});
