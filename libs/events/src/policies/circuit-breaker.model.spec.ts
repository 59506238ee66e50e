import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResolvedCircuitOptions } from '../discovery/on-event.options.js';
import {
  CircuitBreaker,
  type CircuitIntent,
  type CircuitState,
  type CircuitTicket,
  type SharedCircuit,
} from './circuit-breaker.policy.js';

/**
 * Scope: the breakers of up to three nodes over one shared circuit, against a naive model of their rules. Failures print
 * the seed and the shrunk history.
 */
const SEED = { seed: 20261121, numRuns: 600 };
console.info(`circuit-breaker.model.spec: seed ${SEED.seed}`);

const CONCURRENCY = 4;
const T0 = 1_800_000_000_000;

/** Whole buckets of the window, 10 ms: for those it is exact. */
const tens = (most: number) => fc.nat(most).map((n) => n * 10);
const node = fc.nat(2);
const failed = fc.boolean();
/** What becomes of an intent: carried out at once, or with its answer lost; lost itself; or carried out some time later. */
const fate = fc.constantFrom('told', 'told', 'told', 'untold', 'lost', 'late');
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: tens(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('jump' as const), ms: tens(120).map((ms) => ms - 600) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('begin' as const), node }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(1000), failed, fate }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('call' as const), node, failed, fate }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('refresh' as const), node }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('due' as const), node, fate }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('late' as const), which: fc.nat(1000) }) },
);
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;
type Fate = typeof fate extends fc.Arbitrary<infer One> ? One : never;
const anyOptions = fc.record({
  failureThreshold: fc.integer({ min: 1, max: 4 }),
  failureRate: fc.constantFrom(0.1, 0.3, 0.5, 0.75, 1),
  successThreshold: fc.integer({ min: 1, max: 3 }),
  openDurationMs: tens(60),
  windowMs: fc.constant(1000),
  halfOpenConcurrency: fc.integer({ min: 1, max: 5 }),
});
const history = [anyOptions, fc.integer({ min: 1, max: 3 }), fc.array(step, { maxLength: 100, size: 'max' })] as const;

describe(`circuits with any history (seed ${SEED.seed})`, () => {
  it('are on every node what a model says that keeps every call', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(...history, (options, nodes, steps) => {
        const cluster = new Cluster(options, nodes);
        for (const one of steps) {
          cluster.run(one);
          expect(cluster.views()).toEqual(cluster.modelViews());
        }
        cluster.seen.forEach((event) => reached.add(event));
      }),
      SEED,
    );
    expect([...reached].toSorted()).toEqual([
      'closed -> open',
      'half-open -> closed',
      'half-open -> open',
      'late intent',
      'late result',
      'open -> half-open',
      'widening',
    ]);
  });

  it('agree once all nodes have looked, and come back: successThreshold successes close them', () => {
    fc.assert(
      fc.property(...history, (options, nodes, steps) => {
        const cluster = new Cluster(options, nodes);
        steps.forEach((one) => cluster.run(one));
        expect(cluster.refreshAll()).toEqual(Array(nodes).fill(cluster.circuit.state));
        // Opened by whatever means.
        if (cluster.circuit.state !== 'open') cluster.enter('open');
        expect(cluster.refreshAll()).toEqual(Array(nodes).fill('open'));
        cluster.run({ do: 'advance', ms: options.openDurationMs });
        cluster.run({ do: 'due', node: 0, fate: 'told' });
        for (let trial = 0; trial < options.successThreshold; trial++) {
          expect(cluster.refreshAll()).toEqual(Array(nodes).fill('half-open'));
          cluster.run({ do: 'call', node: trial % nodes, failed: false, fate: 'told' });
        }
        expect(cluster.refreshAll()).toEqual(Array(nodes).fill('closed'));
      }),
      SEED,
    );
  });
});

interface Call {
  readonly node: number;
  readonly ticket: CircuitTicket;
  readonly epoch: number;
  settled: boolean;
}

/** A result that counted. */
interface Result {
  readonly node: number;
  readonly epoch: number;
  readonly failed: boolean;
  readonly at: number;
}

/** The nodes' breakers over one shared circuit, and the same said again, slowly: everything is kept and counted afresh. */
class Cluster {
  readonly breakers: readonly CircuitBreaker[];
  readonly seen = new Set<string>();
  private monotonic = 0;
  private skew = T0;
  /** By epoch; the last is the present one. */
  private readonly shared: SharedCircuit[] = [{ state: 'closed', epoch: 0, openedAt: null }];
  private readonly calls: Call[] = [];
  private readonly results: Result[] = [];
  /** The epochs that each node has been through, and since when. */
  private readonly adopted: { epoch: number; at: number }[][];
  /** Epochs of the trials that were counted. */
  private readonly counted: number[] = [];
  private readonly late: [node: number, intent: CircuitIntent][] = [];

  constructor(
    private readonly options: ResolvedCircuitOptions,
    nodes: number,
  ) {
    const clocks = [() => this.monotonic, () => this.wall] as const;
    this.breakers = Array.from({ length: nodes }, () => new CircuitBreaker(options, CONCURRENCY, ...clocks));
    this.adopted = this.breakers.map(() => [{ epoch: 0, at: 0 }]);
  }

  get circuit(): SharedCircuit {
    return this.shared[this.shared.length - 1];
  }

  run(step: Step): void {
    const node = 'node' in step ? step.node % this.breakers.length : 0;
    if (step.do === 'advance') this.monotonic += step.ms;
    else if (step.do === 'jump') this.skew += step.ms;
    else if (step.do === 'begin') this.begin(node);
    else if (step.do === 'refresh') this.refresh(node);
    else if (step.do === 'due') this.carryOut(node, this.breakers[node].due, step.fate);
    else if (step.do === 'call') this.carryOut(node, this.settle(this.begin(node), step.failed), step.fate);
    else if (step.do === 'end') {
      // Mostly late calls; they stay in the list, so some are handed back twice.
      const call = this.calls.slice(-8)[step.which % Math.min(8, this.calls.length)];
      if (call) this.carryOut(call.node, this.settle(call, step.failed), step.fate);
    } else {
      const [late] = this.late.splice(step.which % (this.late.length || 1), 1);
      if (late) this.carryOut(...late, 'told');
    }
  }

  enter(state: CircuitState): void {
    this.seen.add(`${this.circuit.state} -> ${state}`);
    this.shared.push({ state, epoch: this.shared.length, openedAt: state === 'open' ? this.wall : null });
  }

  private begin(node: number): Call {
    const call = { node, ticket: this.breakers[node].begin(), epoch: this.present(node).epoch, settled: false };
    this.calls.push(call);
    return call;
  }

  private settle(call: Call, failed: boolean): CircuitIntent | undefined {
    const { node } = call;
    const before = this.views();
    const { epoch } = this.present(node);
    const { state } = this.shared[epoch];
    const counts = !call.settled && call.epoch === epoch && state !== 'open' && !this.wantsOpen(node);
    if (!call.settled && call.epoch < epoch) this.seen.add('late result');
    call.settled = true;
    if (counts) this.results.push({ node, epoch, failed, at: this.monotonic });
    const intent = failed ? this.breakers[node].fail(call.ticket) : this.breakers[node].succeed(call.ticket);
    let expected: CircuitIntent['do'] | undefined;
    if (counts && this.wantsOpen(node)) expected = 'open';
    else if (counts && state === 'half-open') expected = 'count-trial';
    expect(intent).toEqual(expected && { do: expected, epoch });
    if (!counts) expect(this.views()).toEqual(before);
    return intent;
  }

  /** As a store does it: only in the epoch that the intent is for. */
  private carryOut(node: number, intent: CircuitIntent | undefined, fate: Fate): void {
    if (intent && fate === 'late') this.late.push([node, intent]);
    if (!intent || fate === 'late' || fate === 'lost') return;
    const { state, epoch } = this.circuit;
    if (intent.epoch !== epoch) this.seen.add('late intent');
    else if (intent.do === 'count-trial') this.count(epoch);
    else {
      // Never without a node that has seen enough fail in this very epoch, or an openDuration without any call.
      if (intent.do === 'open') expect(this.breakers.some((_, one) => this.wantsOpen(one, epoch))).toBe(true);
      else expect([state, this.results.filter((result) => result.epoch === epoch)]).toEqual(['open', []]);
      this.enter(intent.do);
    }
    if (fate === 'told') this.refresh(node);
  }

  /** Answers what all nodes take the state to be. */
  refreshAll(): CircuitState[] {
    this.breakers.forEach((_, node) => this.refresh(node));
    return this.breakers.map((one) => one.sharedState);
  }

  views() {
    return this.breakers.map((one) => ({
      state: one.state,
      shared: one.sharedState,
      epoch: one.epoch,
      limit: one.limit,
      flows: one.flows,
      permits: [one.permits(one.epoch), one.permits(one.epoch - 1)],
      retryInMs: one.retryInMs(),
      due: one.due,
    }));
  }

  modelViews() {
    return this.breakers.map((_, node) => {
      const { epoch, at } = this.present(node);
      const { state: shared, openedAt } = this.shared[epoch];
      const wantsOpen = this.wantsOpen(node);
      const state = wantsOpen ? 'open' : shared;
      const { openDurationMs, halfOpenConcurrency } = this.options;
      const width = this.width(node, this.adopted[node].length - 1);
      if (state === 'closed' && width < CONCURRENCY) this.seen.add('widening');
      let wait = openDurationMs;
      if (openedAt !== null) wait = Math.min(at, openedAt - this.wall + this.monotonic) + wait - this.monotonic;
      else if (!wantsOpen) wait = Math.min(wait, 1000);
      let due: CircuitIntent | undefined;
      if (wantsOpen) due = { do: 'open', epoch };
      else if (state === 'open' && wait <= 0) due = { do: 'half-open', epoch };
      return {
        state,
        shared,
        epoch,
        limit: Math.min(CONCURRENCY, { closed: width, open: 0, 'half-open': halfOpenConcurrency }[state]),
        flows: state === 'closed' && width >= CONCURRENCY,
        permits: [state !== 'open', state === 'closed'],
        retryInMs: state === 'closed' ? 0 : Math.max(1, wait),
        due,
      };
    });
  }

  private get wall(): number {
    return this.monotonic + this.skew;
  }

  private refresh(node: number): void {
    const { epoch } = this.circuit;
    const isNew = epoch > this.present(node).epoch;
    expect(this.breakers[node].adopt(this.circuit)).toBe(isNew);
    if (isNew) this.adopted[node].push({ epoch, at: this.monotonic });
  }

  private present(node: number) {
    return this.adopted[node][this.adopted[node].length - 1];
  }

  /** The successThreshold-th closes; each is the success of another call that began in this epoch. */
  private count(epoch: number): void {
    this.counted.push(epoch);
    const counted = this.counted.filter((one) => one === epoch).length;
    const successes = this.results.filter((result) => result.epoch === epoch && !result.failed).length;
    expect([this.circuit.state, counted <= successes]).toEqual(['half-open', true]);
    if (counted === this.options.successThreshold) this.enter('closed');
  }

  /** Whether a result of the node asked to open in this epoch. */
  private wantsOpen(node: number, epoch = this.present(node).epoch): boolean {
    const mine = this.results.filter((result) => result.node === node && result.epoch === epoch);
    if (this.shared[epoch].state === 'half-open') return mine.some(({ failed }) => failed);
    const { failureThreshold, failureRate, windowMs } = this.options;
    return mine.some(({ failed, at }, index) => {
      const inside = mine.slice(0, index + 1).filter((earlier) => at - earlier.at < windowMs);
      const failures = inside.filter((earlier) => earlier.failed).length;
      return failed && failures >= failureThreshold && failures / inside.length >= failureRate;
    });
  }

  /** How many calls the node runs at once while closed, in the nth epoch that it has been through. */
  private width(node: number, nth: number): number {
    const { epoch } = this.adopted[node][nth];
    if (nth === 0) return Infinity;
    const before = this.adopted[node][nth - 1].epoch;
    const flowed = this.shared[before].state === 'closed' && this.width(node, nth - 1) >= CONCURRENCY;
    if (flowed && !this.wantsOpen(node, before)) return Infinity;
    const mine = this.results.filter((result) => result.node === node && result.epoch === epoch);
    return this.options.halfOpenConcurrency + mine.filter(({ failed }) => !failed).length;
  }
}
