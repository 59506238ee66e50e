import { MemoryDatabase } from '../store/memory/memory-database.js';
import { ManualClock } from './manual-clock.js';

/** What the nodes of one test share: the time, the data, and what runs. */
export class TestWorld {
  readonly clock: ManualClock;
  readonly database = new MemoryDatabase();
  /** Of each node, how many handlers run at this moment that no passing of time will end. */
  readonly running = new Set<() => number>();

  constructor(startAt?: Date | number) {
    this.clock = new ManualClock(startAt);
  }
}
