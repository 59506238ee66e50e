import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResolvedCircuitOptions } from '../discovery/on-event.options.js';
import { CircuitBreaker, type CircuitState, type CircuitTicket } from './circuit-breaker.policy.js';

/** Scope: the circuit breaker against a naive model of its rules. Failures print the seed and the shrunk history. */
describe('a circuit with any history', () => {
  /** One bucket of the window is 10 ms: moves of whole buckets, for which the window is exact. */
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.nat(60).map((n) => n * 10) }) },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('begin' as const) }) },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constantFrom('succeed', 'fail', 'fail', 'forget'), which: fc.nat(1000) }),
    },
  );
  const anyOptions = fc.record({
    failureThreshold: fc.integer({ min: 1, max: 6 }),
    failureRate: fc.constantFrom(0.1, 0.3, 0.5, 0.75, 1),
    successThreshold: fc.integer({ min: 1, max: 4 }),
    openDurationMs: fc.integer({ min: 0, max: 60 }).map((n) => n * 10),
    windowMs: fc.constant(1000),
    halfOpenConcurrency: fc.integer({ min: 1, max: 3 }),
  });

  it('agrees with a model that keeps every call', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(anyOptions, fc.array(step, { maxLength: 150, size: 'max' }), (options, steps) => {
        let time = 0;
        const log: string[] = [];
        const circuit = new CircuitBreaker(
          options,
          () => time,
          (from, to) => log.push(`${from} -> ${to}`),
        );
        const model = new Model(options);
        const calls: [CircuitTicket, ModelCall][] = [];
        for (const one of steps) {
          if (one.do === 'advance') time += one.ms;
          else if (one.do === 'begin') calls.push([circuit.begin(), model.begin(time)]);
          else if (calls.length > 0) {
            // Mostly of late calls; tickets stay in the list, so some are handed back twice.
            const recent = calls.slice(-8);
            const [ticket, call] = recent[one.which % recent.length];
            circuit[one.do](ticket);
            model.settle(call, one.do, time);
          }
          const { state, epoch } = circuit;
          const view = { state, epoch, permits: circuit.permits(10), retryInMs: circuit.retryInMs(), log: log.length };
          expect(view).toEqual(model.view(time));
        }
        log.forEach((transition) => reached.add(transition));
      }),
      { seed: 20260103, numRuns: 1000 },
    );
    expect([...reached].toSorted()).toEqual([
      'closed -> open',
      'half-open -> closed',
      'half-open -> open',
      'open -> half-open',
    ]);
  });
});

interface ModelCall {
  readonly epoch: number;
  settled: boolean;
}

/** The rules said again, slowly: every result and every transition is kept and counted afresh. */
class Model {
  private readonly transitions: { to: CircuitState; at: number }[] = [];
  private readonly calls: ModelCall[] = [];
  private readonly results: { epoch: number; failed: boolean; at: number }[] = [];

  constructor(private readonly options: ResolvedCircuitOptions) {}

  begin(now: number): ModelCall {
    const call = { epoch: this.at(now).epoch, settled: false };
    this.calls.push(call);
    return call;
  }

  settle(call: ModelCall, how: 'succeed' | 'fail' | 'forget', now: number): void {
    const { epoch, state } = this.at(now);
    const counts = !call.settled && call.epoch === epoch && how !== 'forget';
    call.settled = true;
    if (!counts) return;
    this.results.push({ epoch, failed: how === 'fail', at: now });
    const mine = this.results.filter((result) => result.epoch === epoch);
    if (state === 'closed' && how === 'fail') {
      const inside = mine.filter((result) => now - result.at < this.options.windowMs);
      const failures = inside.filter((result) => result.failed).length;
      if (failures >= this.options.failureThreshold && failures / inside.length >= this.options.failureRate) {
        this.transitions.push({ to: 'open', at: now });
      }
    }
    if (state === 'half-open') {
      if (how === 'fail') this.transitions.push({ to: 'open', at: now });
      else if (mine.length >= this.options.successThreshold) this.transitions.push({ to: 'closed', at: now });
    }
  }

  view(now: number) {
    const { state, epoch, since } = this.at(now);
    const trials = this.calls.filter((call) => call.epoch === epoch && !call.settled).length;
    const free = Math.max(0, this.options.halfOpenConcurrency - trials);
    const permits = { closed: 10, open: 0, 'half-open': Math.min(10, free) }[state];
    const wait =
      state === 'open' ? since + this.options.openDurationMs - now : Math.min(1000, this.options.openDurationMs);
    return { state, epoch, permits, retryInMs: permits > 0 ? 0 : Math.max(1, wait), log: epoch };
  }

  private at(now: number): { state: CircuitState; epoch: number; since: number } {
    const last = this.transitions.at(-1) ?? { to: 'closed', at: 0 };
    if (last.to === 'open' && now >= last.at + this.options.openDurationMs) {
      this.transitions.push({ to: 'half-open', at: now });
      return this.at(now);
    }
    return { state: last.to, epoch: this.transitions.length, since: last.at };
  }
}
