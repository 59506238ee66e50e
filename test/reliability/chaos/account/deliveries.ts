import type { HandlerRule } from '../scenario.js';
import type { Evidence } from './evidence.js';
import type { Finding } from './finding.js';
import { groupBy } from './group-by.js';

type Kind = Finding['kind'];

/** What became of each delivery: an exact end, exactly one effect, and nothing left over. */
export class Deliveries {
  private readonly seqs: ReadonlyMap<string, number>;
  private readonly live: ReadonlySet<string>;
  private readonly completions: ReadonlyMap<string, string[]>;
  private readonly letters: ReadonlyMap<string, string[]>;
  private readonly effects: ReadonlyMap<string, string[]>;
  private readonly done: ReadonlySet<string>;

  constructor({ tables, runs }: Pick<Evidence, 'tables' | 'runs'>) {
    this.seqs = new Map(tables.inbox.map(({ id, seq }) => [id, seq]));
    this.live = new Set(tables.live.map(({ seq, handler }) => `${seq} ${handler}`));
    this.completions = grouped(
      tables.completions,
      ({ seq, handler }) => `${seq} ${handler}`,
      ({ outcome }) => outcome,
    );
    this.letters = grouped(
      tables.deadLetters,
      ({ seq, handler }) => `${seq} ${handler}`,
      ({ reason, errors }) => `${reason}: ${errors}`,
    );
    this.effects = grouped(
      tables.effects,
      ({ event, handler }) => `${event} ${handler}`,
      ({ run }) => run,
    );
    this.done = new Set(
      runs.filter(({ doneAt }) => doneAt !== undefined).map(({ event, handler }) => `${event} ${handler}`),
    );
  }

  /** What is wrong with the delivery of a committed event. */
  check(event: string, rule: HandlerRule): Finding[] {
    const { name: handler } = rule;
    const finding = (kind: Kind, what: string): Finding[] => [{ kind, event, handler, what }];
    const seq = this.seqs.get(event);
    if (seq === undefined) return finding('lost', 'committed, but not in the inbox');

    const key = `${seq} ${handler}`;
    const completions = this.completions.get(key) ?? [];
    const letters = this.letters.get(key) ?? [];
    const effects = this.effects.get(`${event} ${handler}`) ?? [];
    const ends = completions.length + letters.length;
    if (effects.length > 1)
      return finding('doubleEffects', `its effect is there ${effects.length} times: ${effects.join(', ')}`);
    if (ends > 1) return finding('doubleEffects', `it ended ${ends} times`);
    // Those that are still live are counted as stuck.
    if (this.live.has(key))
      return effects.length + ends > 0 ? finding('doubleEffects', 'done, and live all the same') : [];
    if (ends === 0) return finding('lost', 'neither live, nor completed, nor a dead letter');
    if (rule.dies) return letters.length === 1 ? [] : finding('lost', 'completed, though it fails always');
    if (letters.length === 1) return finding('lost', `a dead letter, ${letters[0]}`);
    if (completions[0] !== 'completed') return finding('lost', `its outcome is ${completions[0]}`);
    if (rule.effect && effects.length === 0) return finding('lost', 'completed without its effect');
    if (!this.done.has(`${event} ${handler}`)) return finding('lost', 'completed, but no run came to its end');
    return [];
  }
}

function grouped<T>(rows: readonly T[], key: (row: T) => string, value: (row: T) => string): Map<string, string[]> {
  return new Map([...groupBy(rows, key)].map(([key, group]) => [key, group.map(value)]));
}
