import 'reflect-metadata';
import type { DataSourceOptions } from 'typeorm';
import { FaultNode } from './fault-node.js';
import type { Strike } from './fault-scene.js';

/** A node in a process of its own that a fault kills. */
export interface FaultWorkerConfig {
  readonly dataSource: DataSourceOptions;
  readonly strike: Strike;
}

// Should the fault not kill it, it must not outlive the test.
process.on('disconnect', () => process.exit(1));

const { dataSource, strike } = JSON.parse(process.argv[2] ?? '{}') as FaultWorkerConfig;
await FaultNode.start(dataSource, strike.handlers, strike, () => process.kill(process.pid, 'SIGKILL'));
