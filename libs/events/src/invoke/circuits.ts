import type { Clock } from '../clock/clock.js';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import { stackOf } from '../errors/stack-of.js';
import type { EventLifecycle } from '../observability/event-lifecycle.js';
import type { EventsLogger } from '../observability/events-logger.js';
import { CircuitBreaker, type CircuitIntent, type CircuitState } from '../policies/circuit-breaker.policy.js';
import type { CircuitChange, CircuitRecord, HandlerState, HandlerStore } from '../store/handler.store.js';

export interface CircuitsOptions {
  readonly store: Pick<HandlerStore, 'changeCircuit' | 'countTrial'>;
  readonly clock: Clock;
  readonly logger: Pick<EventsLogger, 'log' | 'warn' | 'error'>;
  readonly lifecycle: EventLifecycle;
  /** This node knows of a new epoch of a circuit. */
  readonly onChange: (handler: string, to: CircuitState) => void;
  /** This node has changed a circuit: the others must be told. Once per change, even if it has learned of it before. */
  readonly onMoved: (handler: string, to: CircuitState) => void;
}

/** This node's view of the circuits that the cluster shares, one per handler of the node that has one. */
export class Circuits {
  private readonly breakers = new Map<string, { breaker: CircuitBreaker; successThreshold: number }>();
  /** Changes that this node has asked for and not been answered, per handler. */
  private readonly asked = new Map<string, number>();
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
    for (const { name, circuit } of states) this.learn(name, circuit, this.by(name, 0));
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
    const { logger, onMoved } = this.options;
    this.count(handler, 1);
    try {
      const change = await this.write(handler, intent);
      if (this.failing) logger.log('circuits are shared again');
      this.failing = false;
      if (!change) return;
      const { circuit, changed } = change;
      this.learn(handler, circuit, changed ? '' : this.by(handler, 1));
      // A look at all circuits may have been answered before this.
      if (changed) onMoved(handler, circuit.state);
    } catch (error) {
      if (!this.failing)
        logger.error(`could not share the circuit of ${handler}, will try again`, { handler }, stackOf(error));
      this.failing = true;
    } finally {
      this.count(handler, -1);
    }
  }

  /** Who has changed a circuit, as the log says it: unknown while this node waits for more answers than these. */
  private by(handler: string, answered: number): string {
    return (this.asked.get(handler) ?? 0) > answered ? '' : ', by another node';
  }

  private count(handler: string, change: 1 | -1): void {
    const asked = (this.asked.get(handler) ?? 0) + change;
    if (asked > 0) this.asked.set(handler, asked);
    else this.asked.delete(handler);
  }

  private write(handler: string, intent: CircuitIntent): Promise<CircuitChange | null> {
    const { store, clock } = this.options;
    const { epoch } = intent;
    if (intent.do !== 'count-trial') return store.changeCircuit(handler, epoch, intent.do, clock.now());
    return store.countTrial(handler, epoch, this.breakers.get(handler)?.successThreshold ?? 1);
  }

  /** @param by ends the line that is logged: who has changed it, if that is known. */
  private learn(handler: string, circuit: CircuitRecord, by: string): void {
    const { logger, lifecycle, onChange } = this.options;
    const breaker = this.get(handler);
    if (!breaker) return;
    const from = breaker.sharedState;
    if (!breaker.adopt(circuit)) return;
    const { state, epoch } = circuit;
    if (from !== state) {
      const fields = { fact: 'circuit', handler, from, to: state, epoch };
      logger.warn(`circuit of ${handler}: ${from} -> ${state} (epoch ${epoch}${by})`, fields);
      lifecycle.emit({ fact: 'circuit', handler, from, to: state });
    }
    onChange(handler, state);
  }
}
