import type { HandlerRegistration, NodeRecord, NodeRegistration, RegistrySnapshot } from './records.js';

/** Live processes and the handlers that they have. */
export interface NodeStore {
  /** Enters a node under a new id, never used before. */
  registerNode(node: NodeRegistration, now: number): Promise<number>;

  /** Raises the node's beat. False = the node is not registered any more: its leases have been given to others. */
  beat(node: number): Promise<boolean>;

  nodes(): Promise<NodeRecord[]>;

  /**
   * Takes a node out, in one transaction. With `beat` only if that is still its beat (else false, and nothing happens).
   * Every lease it holds ends: the delivery is pending again with `crashes` raised by one and a failure `node-lost`
   * appended; of several in one lane only the first could be under way, so the others are pending with nothing charged.
   * Its subscriptions go too, except those of handlers that no other live node has.
   */
  removeNode(node: number, now: number, beat?: number): Promise<boolean>;

  /** Ends, in the same way, leases of nodes that are not registered. Answers how many. */
  rescueOrphans(now: number): Promise<number>;

  /**
   * Announces the handlers of a node, in one transaction: handlers are entered or updated (priority, ordered,
   * onDeadLetter, lastSeen; not paused, not circuit), the node's subscriptions are replaced by these, subscriptions of the
   * same handlers by nodes that are gone are dropped, and the registry's version is raised if anything changed that fan-out
   * depends on. `now` becomes `lastSeen` (and `firstSeen` of new ones).
   * A handler that is not ordered has no lanes any more: its deliveries are free. One that is not, or whose `onDeadLetter`
   * is `skip`, has no blocking dead letters any more.
   * A retired handler that is announced is retired no longer. Aliases that are not announced by this node too are adopted:
   * they are retired, remembered as the new handler's, and their deliveries (live, leased ones too, and dead letters) and
   * idempotency keys are the new handler's from then on.
   */
  registerHandlers(node: number, handlers: readonly HandlerRegistration[], now: number): Promise<void>;

  /** The registry and its version, read together. Retired handlers are left out. */
  loadRegistry(): Promise<RegistrySnapshot>;
}
