import type { Logger } from '@nestjs/common';
import type { Clock } from '../clock/clock.js';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import { stackOf } from '../errors/stack-of.js';
import { CircuitBreaker, type CircuitIntent, type CircuitState } from '../policies/circuit-breaker.policy.js';
import type { CircuitChange, CircuitRecord, HandlerState, HandlerStore } from '../store/handler.store.js';

export interface CircuitsOptions {
  readonly store: Pick<HandlerStore, 'changeCircuit' | 'countTrial'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A circuit is in a new epoch. `here` = this node has changed it; the others must be told. */
  readonly onChange: (handler: string, to: CircuitState, here: boolean) => void;
}

/** This node's view of the circuits that the cluster shares, one per handler of the node that has one. */
export class Circuits {
  private readonly breakers = new Map<string, { breaker: CircuitBreaker; successThreshold: number }>();
  private failing = false;

  constructor(
    handlers: readonly HandlerDefinition[],
    private readonly options: CircuitsOptions,
  ) {
    const { clock } = options;
    for (const { name, options } of handlers) {
      const { circuit, concurrency } = options;
      if (circuit === false) continue;
      const breaker = new CircuitBreaker(
        circuit,
        concurrency,
        () => clock.monotonic(),
        () => clock.now(),
      );
      this.breakers.set(name, { breaker, successThreshold: circuit.successThreshold });
    }
  }

  /** The handler's breaker; undefined when it has none. */
  get(handler: string): CircuitBreaker | undefined {
    return this.breakers.get(handler)?.breaker;
  }

  /** Takes over what the cluster knows. */
  adopt(states: readonly HandlerState[]): void {
    for (const { name, circuit } of states) this.learn(name, circuit, false);
  }

  /** Does what is due without a call: lets an open circuit try, or opens one that could not be opened yet. */
  async carryOutDue(): Promise<void> {
    for (const [name, { breaker }] of this.breakers) {
      const { due } = breaker;
      if (due) await this.carryOut(name, due);
    }
  }

  /** Changes the shared circuit, if it is still in the intent's epoch. Never rejects: what failed is due again. */
  async carryOut(handler: string, intent: CircuitIntent): Promise<void> {
    const { logger } = this.options;
    try {
      const change = await this.write(handler, intent);
      if (this.failing) logger.log('circuits are shared again');
      this.failing = false;
      if (change) this.learn(handler, change.circuit, change.changed);
    } catch (error) {
      if (!this.failing) logger.error(`could not share the circuit of ${handler}, will try again`, stackOf(error));
      this.failing = true;
    }
  }

  private write(handler: string, intent: CircuitIntent): Promise<CircuitChange | null> {
    const { store, clock } = this.options;
    const { epoch } = intent;
    if (intent.do !== 'count-trial') return store.changeCircuit(handler, epoch, intent.do, clock.now());
    return store.countTrial(handler, epoch, this.breakers.get(handler)?.successThreshold ?? 1);
  }

  private learn(handler: string, circuit: CircuitRecord, here: boolean): void {
    const { logger, onChange } = this.options;
    const breaker = this.get(handler);
    const from = breaker?.sharedState;
    if (!breaker?.adopt(circuit)) return;
    const { state, epoch } = circuit;
    if (from !== state)
      logger.warn(`circuit of ${handler}: ${from} -> ${state} (epoch ${epoch}${here ? '' : ', by another node'})`);
    onChange(handler, state, here);
  }
}
