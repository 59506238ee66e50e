import type { RecordValue } from './metric-sink.js';

interface Branch {
  readonly branches: Map<string, Branch>;
  record: RecordValue | undefined;
}

/** The series of one metric by their label values: looked up at each fact, so without building a key of them. */
export class SeriesTree {
  private readonly root = newBranch();

  constructor(private readonly make: (labels: readonly string[]) => RecordValue) {}

  of(labels: readonly string[]): RecordValue {
    let branch = this.root;
    for (const label of labels) {
      let next = branch.branches.get(label);
      if (!next) branch.branches.set(label, (next = newBranch()));
      branch = next;
    }
    return (branch.record ??= this.make(labels));
  }
}

function newBranch(): Branch {
  return { branches: new Map(), record: undefined };
}
