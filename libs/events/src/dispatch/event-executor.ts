import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { AbortCause } from '../errors/attempt-aborted.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { Circuits } from '../invoke/circuits.js';
import { RateLimits } from '../invoke/rate-limits.js';
import { Activity } from '../observability/activity.js';
import { EventLifecycle } from '../observability/event-lifecycle.js';
import { EventsLogger } from '../observability/events-logger.js';
import { LogStorms } from '../observability/log-storms.js';
import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import { EVENT_STORE, type EventStore } from '../store/event-store.js';
import type { AppendResult } from '../store/inbox.store.js';
import type { HandlerState } from '../store/handler.store.js';
import type { Lease, Settlement } from '../store/records.js';
import { Claimer } from './claimer.js';
import { DeliveryPump } from './delivery-pump.js';
import { DeliveryRunner } from './delivery-runner.js';
import type { Claimed } from './handler-slot.js';
import { HandlerSlots } from './handler-slots.js';
import { Load } from './load.js';
import { type PublishCommit, PublishClaims } from './publish-claims.js';
import { Settler } from './settler.js';
import { Stager } from './stager.js';
import { StrayLeases } from './stray-leases.js';
import { WorkSignal } from './work-signal.js';

/**
 * Claims deliveries and runs them. A turn stages what has fallen due, claims what there is room for and starts it; what
 * ends frees its slot at once and is settled together with others.
 */
@Injectable()
export class EventExecutor {
  private readonly logger = new EventsLogger(EventExecutor.name);
  private readonly slots = new HandlerSlots();
  private readonly settler: Settler;
  private readonly stager: Stager;
  private readonly claimer: Claimer;
  private readonly publishClaims: PublishClaims;
  private circuits!: Circuits;
  private readonly load: Load;
  private readonly pump: DeliveryPump;
  /** In whose name leases are taken; 0 = in nobody's: the node is not, or may not be, registered. */
  private node = 0;
  /** Until the node starts, and while it rests. */
  private held = true;
  private waitsForSettler = false;
  /** What the last turn has claimed. */
  lastClaimed = 0;
  private wake: () => void = () => undefined;
  private evicted: () => void = () => undefined;

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    @Inject(EVENT_STORE) private readonly store: EventStore,
    private readonly clock: Clock,
    private readonly activity: Activity,
    private readonly runner: DeliveryRunner,
    private readonly signal: WorkSignal,
    private readonly lifecycle: EventLifecycle,
    private readonly storms: LogStorms,
  ) {
    const { batchSize, pollIntervalMs, nodeId } = options;
    const onSettled = this.onSettled.bind(this);
    this.settler = new Settler({ store, clock, logger: this.logger, storms, batchSize, nodeId, onSettled });
    this.stager = new Stager({ store, clock, batchSize, pollIntervalMs });
    this.load = new Load(clock);
    const { slots, load, settler } = this;
    this.pump = new DeliveryPump({ clock, slots, load, runner, settler, options, wake: () => this.wake() });
    const strays = new StrayLeases(store, clock, this.logger);
    this.claimer = new Claimer(store, clock, options, slots, strays, lifecycle);
    this.publishClaims = new PublishClaims(this.claimer, load, (claimed, node) => this.accept(claimed, node));
  }

  /** The handlers of this node, once they are known. `wake` starts a turn; `evicted` says that the node's row is gone. */
  prepare(handlers: readonly HandlerDefinition[], wake: () => void, evicted: () => void): void {
    this.wake = wake;
    this.evicted = evicted;
    const { store, clock, logger, storms, lifecycle } = this;
    const onChange = (handler: string) => this.onCircuitChange(handler);
    const onMoved = (handler: string, to: CircuitState) => this.onCircuitMoved(handler, to);
    this.circuits = new Circuits(handlers, { store, clock, logger, lifecycle, onChange, onMoved });
    const limits = new RateLimits(store, clock);
    this.runner.prepare(this.circuits, limits);
    this.slots.fill(handlers, { circuits: this.circuits, limits, activity: this.activity, logger, storms });
  }

  /** What the cluster knows of its handlers: who is paused, whose circuit is open. */
  learn(states: readonly HandlerState[]): void {
    for (const { name, paused } of this.slots.pause(states)) {
      const fact = { fact: paused ? 'handlerPaused' : 'handlerResumed', handler: name } as const;
      this.logger.warn(`handler ${name} is ${paused ? 'paused' : 'resumed'} on all nodes`, fact);
      this.lifecycle.emit(fact);
      this.pump.start();
      this.wake();
    }
    this.slots.order(states);
    this.circuits.adopt(states);
  }

  /** Leases are taken in this node's name from now on. */
  enroll(node: number): void {
    this.node = node;
  }

  /** Nothing more is begun: gives back what is claimed but has not begun, and what a claim under way will bring. */
  hold(): void {
    this.held = true;
    this.pump.release();
  }

  unhold(): void {
    this.held = false;
  }

  stateOf(handler: string): { readonly circuit: CircuitState; readonly paused: boolean } {
    const circuit = this.circuits?.get(handler)?.state ?? 'closed';
    return { circuit, paused: this.slots.get(handler)?.paused ?? false };
  }

  /** One turn; true when there is likely more to do at once. */
  async turn(): Promise<boolean> {
    this.lastClaimed = 0;
    const staged = await this.stager.stage();
    const { node } = this;
    this.waitsForSettler = this.settler.isFull;
    if (this.held || node === 0 || this.waitsForSettler) return false;
    const strays = await this.claimer.strays(node, () => [...this.runner.leases, ...this.settler.leases]);
    for (const lease of strays) this.settler.push(node, { ...lease, outcome: 'released' });
    await this.circuits.carryOutDue();
    for (const slot of this.claimer.trialSlots(this.load))
      this.lastClaimed += this.accept(await this.claimer.trials(slot, node, this.load), node);
    if (this.held || node !== this.node) return false;
    const claimed = this.accept(await this.claimer.batch(node, this.load), node);
    this.lastClaimed += claimed;
    return claimed === this.options.batchSize || (staged && claimed > 0) || this.claimer.passedOver;
  }

  /**
   * Makes a commit that brings these handlers work; if they could begin it at once, the commit claims it, too. Not with
   * the cooperative scheduler, where claims have their turn.
   */
  claimWith(handlers: Iterable<string>, commit: PublishCommit): Promise<AppendResult> {
    const { node, options } = this;
    const mayClaim = !this.held && node !== 0 && options.scheduler !== 'cooperative' && !this.settler.isFull;
    return mayClaim ? this.publishClaims.make(node, handlers, commit) : commit();
  }

  /** How long an idle loop may sleep: until a delivery falls due, an open circuit may try, or a limit has a token again. */
  idleMs(): number {
    const pollMs = Math.round(this.options.pollIntervalMs * (1 + Math.random() * 0.2));
    return Math.max(1, Math.min(pollMs, this.stager.dueInMs, this.slots.waitsMs));
  }

  /** A delivery falls due at this moment: the loop must not sleep past it. */
  expect(dueAt: number): void {
    this.stager.expect(dueAt);
  }

  /** These priorities have come to these handlers: what goes first is not to be passed over. */
  admit(newcomers: ReadonlyMap<string, number>): void {
    for (const [handler, priority] of newcomers) this.slots.get(handler)?.mark.admit(priority);
  }

  /** Leases of what runs, or waits here to run, for the lease check. */
  get leases(): Lease[] {
    return [...this.runner.neededLeases, ...this.slots.waiting.map(({ delivery }) => delivery)];
  }

  /** Aborts the run of a delivery, or drops it before it begins, if it is here; with `claims`, only if under that lease. */
  abort(deliveryId: number, cause: AbortCause, claims?: number): void {
    const isMeant = ({ delivery }: { delivery: Lease }) =>
      delivery.id === deliveryId && (claims === undefined || delivery.claims === claims);
    this.runner.abort(deliveryId, cause, isMeant);
    for (const { delivery } of this.slots.drop(isMeant)) this.pump.forget(delivery);
    this.wake();
  }

  /**
   * The node was declared dead, or may be soon: it stops everything and claims nothing before it is enrolled (again).
   * What it holds is given back all the same: the fence refuses that if somebody else owns it by now, and if nobody does,
   * it would stay leased to this node for ever.
   */
  forsake(): void {
    this.node = 0;
    this.pump.release();
    this.runner.abortAll('lease-lost');
  }

  /** No more claims; gives back what has not begun; aborts what still runs after `timeoutMs`; then all is settled. */
  async drain(timeoutMs: number): Promise<void> {
    this.hold();
    if (!(await this.load.ended(timeoutMs))) {
      const { running } = this.load;
      this.logger.warn(`${running} handlers still run after ${timeoutMs} ms: they are aborted and given back`, {
        running,
        timeoutMs,
      });
      this.runner.abortAll('shutdown');
      await this.load.ended();
    }
    await this.publishClaims.idle();
    await this.settler.idle();
    await this.runner.reported();
    this.runner.close();
  }

  /** Gives up on outcomes that still could not be written; the leases behind them end with the node. */
  close(): void {
    this.settler.close();
    this.runner.close();
  }

  private onCircuitMoved(handler: string, to: CircuitState): void {
    if (to === 'open') this.activity.of(handler).circuitOpened++;
    this.signal.handlersChanged();
  }

  private onCircuitChange(handler: string): void {
    const slot = this.slots.get(handler);
    if (slot) slot.noTrialsBefore = 0;
    this.pump.start();
    this.wake();
  }

  /** Takes over what was claimed, and starts what may start. Answers how much it was. */
  private accept(claimed: readonly Claimed[] | null, node: number): number {
    if (claimed === null) {
      // Unless somebody else has found it out meanwhile, and the node has come back under a new id.
      if (node === this.node) this.evicted();
      return 0;
    }
    this.pump.take(claimed);
    // Held, or forsaken, while the claim was under way.
    if (this.held || node !== this.node) this.pump.release();
    if (claimed.length === this.options.batchSize) this.pump.startAfterNextTurn();
    else this.pump.start();
    return claimed.length;
  }

  private onSettled(settlement: Settlement, written: boolean): void {
    if (this.waitsForSettler && !this.settler.isFull) {
      this.waitsForSettler = false;
      this.wake();
    }
    const slot = this.slots.get(settlement.handler);
    const isTrial = slot?.onTrial ?? false;
    if (slot && isTrial) slot.noTrialsBefore = 0;
    // A trial's place is free, or a lane.
    if (isTrial || (settlement.lane && !slot?.lanes.has(settlement.lane))) this.wake();
    if (!written) {
      this.activity.of(settlement.handler).lost++;
      this.lifecycle.emit({ fact: 'lost', handler: settlement.handler, deliveryId: String(settlement.id) });
      // Its notice waits to be fanned out.
    } else if (settlement.outcome === 'dead') this.signal.raise({ raw: true });
    else if (settlement.outcome === 'retry' || settlement.outcome === 'snoozed') {
      if (this.stager.expect(settlement.availableAt)) this.wake();
    }
  }
}
