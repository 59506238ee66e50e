import type { PlannedEvent, PublishRoute } from './journal-lines.js';
import type { Random } from './random.js';
import type { EventType } from './scenario.js';

export interface PlannedTransaction {
  readonly tx: string;
  readonly route: PublishRoute;
  readonly rollBack: boolean;
  readonly events: readonly PlannedEvent[];
}

/** Few enough for lanes to get long, and for publishers to meet in one. */
const ORDERING_KEYS = 8;
const REMEMBERED = 200;

/** What a publisher does, transaction by transaction, without an end. */
export function* planPublishing(publisher: string, random: Random): Generator<PlannedTransaction, never> {
  const earlier: PlannedEvent[] = [];
  for (let n = 1; ; n++) {
    const tx = `${publisher}-${n}`;
    const route = random.pick<PublishRoute>(['ambient', 'ambient', 'manager', 'all', 'single']);
    const count = route === 'single' ? 1 : random.between(1, 5);
    const events = Array.from({ length: count }, (_, index) => planEvent(`${tx}-${index + 1}`, random));
    // The same id again, whether it was committed, rolled back, or nobody knows; always the same event.
    if (earlier.length > 0 && random.chance(0.2)) {
      const again = random.pick(earlier);
      events.splice(random.between(0, events.length - 1), 1, again);
    }
    earlier.push(...events);
    if (earlier.length > REMEMBERED) earlier.splice(0, earlier.length - REMEMBERED);
    const ownTransaction = route === 'ambient' || route === 'manager';
    yield { tx, route, rollBack: ownTransaction && random.chance(0.2), events };
  }
}

function planEvent(id: string, random: Random): PlannedEvent {
  const type = random.pick<EventType>([
    'chaos.paid',
    'chaos.paid',
    'chaos.paid',
    'chaos.slow',
    'chaos.slow',
    'chaos.stubborn',
    'chaos.doomed',
    'chaos.keyed',
    'chaos.keyed',
    'chaos.keyed',
  ]);
  return {
    id,
    type,
    ...(type === 'chaos.keyed' && { orderingKey: `key-${random.between(1, ORDERING_KEYS)}` }),
    ...(random.chance(0.2) && { priority: random.between(0, 100) }),
    ...(random.chance(0.1) && { delayMs: random.between(10, 2_000) }),
  };
}
