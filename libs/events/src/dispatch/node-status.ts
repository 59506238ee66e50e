/** notStarted -> running <-> paused -> draining -> stopped */
export type NodeStatus = 'notStarted' | 'running' | 'paused' | 'draining' | 'stopped';
