import type { CircuitState } from '../policies/circuit-breaker.policy.js';
import type { ClaimedDelivery } from './records.js';

/** A handler's circuit, as all nodes share it. */
export interface CircuitRecord {
  readonly state: CircuitState;
  /** +1 at every change of state, never lowered: what was seen in an earlier epoch changes nothing. */
  readonly epoch: number;
  /** When it opened; null unless `open`. */
  readonly openedAt: number | null;
  /** Trials that have succeeded; 0 unless `half-open`. */
  readonly successes: number;
}

/** What nodes must know of a handler before they run it. */
export interface HandlerState {
  readonly name: string;
  readonly paused: boolean;
  /** Claims must say so. */
  readonly ordered: boolean;
  readonly circuit: CircuitRecord;
}

/** A handler as operators see it. */
export interface HandlerRecord extends HandlerState {
  readonly priority: number;
  /** Union over the nodes that have it (or had it last), sorted. */
  readonly patterns: readonly string[];
  /** Live nodes that have it, by id. */
  readonly nodes: readonly { readonly id: number; readonly label: string }[];
  readonly firstSeen: number;
  /** When a live node was last known to have it. */
  readonly lastSeen: number;
  readonly retiredAt: number | null;
}

export interface CircuitChange {
  /** The circuit as it is afterwards, whoever changed it. */
  readonly circuit: CircuitRecord;
  /** Whether this call changed it. */
  readonly changed: boolean;
}

export interface TrialRequest {
  readonly node: number;
  readonly handler: string;
  /** The half-open epoch that the trials are for. */
  readonly epoch: number;
  /** Trials at a time in the whole cluster, at least 1. */
  readonly most: number;
  /** Whether one suspect may be among them. */
  readonly suspect: boolean;
}

/** The cluster's handlers: paused, retired, and their circuits. */
export interface HandlerStore {
  /** Of all handlers that are not retired, by name. Cheap: asked for all the time. */
  handlerStates(): Promise<HandlerState[]>;

  /** All handlers, retired ones too, by name. */
  listHandlers(): Promise<HandlerRecord[]>;

  /** Stops or lets claims of the handler, on all nodes, until it is called again. False = there is no such handler. */
  setPaused(handler: string, paused: boolean): Promise<boolean>;

  /**
   * Moves a circuit on, if its epoch is still this one: `open` since `now`, `half-open`, or `closed`; the epoch is raised by
   * one, successes and trials start from nothing. Of several callers at once with one epoch exactly one changes it.
   * Null = there is no such handler.
   */
  changeCircuit(handler: string, epoch: number, to: CircuitState, now: number): Promise<CircuitChange | null>;

  /**
   * Counts a successful trial, if the circuit is half-open in this epoch; the `threshold`-th closes it (and raises the
   * epoch). `changed` = it closed by this call. Null = there is no such handler.
   */
  countTrial(handler: string, epoch: number, threshold: number): Promise<CircuitChange | null>;

  /**
   * Leases deliveries as trials of a half-open circuit, best first. In one transaction that holds the handler's row it
   * forgets trials that are not leased any more, leases as many as are left of `most`, and remembers them; so in the
   * whole cluster never more than `most` trials of an epoch are leased, whichever nodes die. Nothing is leased when the
   * circuit is not half-open in this epoch, or the handler is paused or retired. Lanes hold for trials too. Null when the node is not registered.
   */
  claimTrials(request: TrialRequest): Promise<ClaimedDelivery[] | null>;

  /** Raises `lastSeen` of every handler that a live node has to `now`. */
  touchHandlers(now: number): Promise<void>;

  /**
   * Ends the handler's subscriptions: it gets nothing new, and is not claimed any more; the registry's version is raised.
   * Announcing it again brings it back. False = there is no such handler, or it is retired already.
   */
  retire(handler: string, now: number): Promise<boolean>;

  /** Retires, in the same way, handlers that no live node has and that were last seen before a moment. Answers their names. */
  retireAbsent(lastSeenBefore: number, now: number): Promise<string[]>;

  /**
   * Deliveries of retired handlers that are not leased: of a handler that another has adopted, they become that one's;
   * the others become dead letters, reason `expired`, which block lanes as any others. At most `limit`, oldest id first; answers how many, so fewer than
   * `limit` means that none is left.
   */
  expireRetired(now: number, limit: number): Promise<number>;
}
