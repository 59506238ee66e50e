import type { HandlerBacklog, Unprocessed } from '../store/records.js';

/** What the database said of the cluster when it was last asked, every 10 s. */
export interface ClusterSample {
  readonly backlog: readonly HandlerBacklog[];
  readonly unprocessed: Unprocessed;
  /** Live nodes that have handlers. */
  readonly nodes: number;
}
