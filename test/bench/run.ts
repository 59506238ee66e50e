import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { chain } from './chain.js';
import { drain } from './drain.js';
import { floor } from './floor.js';
import { idleSession } from './idle-session.js';
import { keyed } from './keyed.js';
import { lanes } from './lanes.js';
import { latency } from './latency.js';
import { observed } from './observed.js';
import { prune } from './prune.js';
import { retries } from './retries.js';
import { sustained } from './sustained.js';
import { workers } from './workers.js';

/**
 * Measures with handlers that do nothing: history kept, default policies on, one outcome per delivery. A figure counts
 * only if its run was exact. `npm run bench -- [--db sqlite|postgres|mariadb|memory] [--events N] [--handlers H]
 * [--only name] [--seconds S] [--history N] [--retries R] [--metrics] [--json]`.
 */
const { values: flags } = parseArgs({
  options: {
    db: { type: 'string', default: 'postgres' },
    events: { type: 'string', default: '30000' },
    /** Of the drain with many. */
    handlers: { type: 'string', default: '20' },
    /** How long a sustained load lasts. */
    seconds: { type: 'string', default: '5' },
    /** Finished rows under a sustained load. */
    history: { type: 'string', default: '100000' },
    /** Deliveries that wait for a retry beside a drain. */
    retries: { type: 'string', default: '1000000' },
    /** Drain with metrics in a Prometheus registry. */
    metrics: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const { db, metrics } = flags;
const NUMBERS = ['events', 'handlers', 'seconds', 'history', 'retries'] as const;
const [events, handlers, seconds, history, waiting] = NUMBERS.map((flag) => {
  const value = Number(flags[flag]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new Error(`--${flag} must be a whole number above 0, not ${flags[flag]}`);
});

type Figures = Readonly<Record<string, unknown>> & { readonly exact: boolean };

const onServer = db !== 'memory';

/** Each makes and drops databases of its own. */
const MEASUREMENTS: Readonly<Record<string, () => Promise<Figures>>> = {
  drain: async () => ({ ...(await drain(db, events, { metrics })) }),
  handlers: async () => {
    const { drain_s: drainHandlers20_s, exact } = await drain(db, events, { handlers, metrics });
    return { drainHandlers20_s, exact };
  },
  floor: async () => ({ ...(await floor(db, events)) }),
  latency: async () => ({ ...(await latency(db)) }),
  sustained: async () => ({ ...(await sustained(db, seconds, history)) }),
  chain: async () => ({ ...(await chain(events)) }),
  observed: () => observed(db, events),
  prune: async () => ({ ...(await prune(db, events)) }),
  retries: async () => ({ ...(await retries(db, events, waiting)) }),
  workers: async () => ({ ...(await workers(db, events)) }),
  keyed: () => keyed(db, events),
  lanes: async () => {
    const figures = await lanes(db, events);
    const ratios = figures.map(({ shape, ofNone }) => [`lanes, ${shape}`, ofNone]);
    return { ...Object.fromEntries(ratios), exact: figures.every(({ exact }) => exact) };
  },
  'idle-session': async () => ({ ...(await idleSession(events)) }),
};

/** What is measured when nothing is named. */
const DEFAULT = onServer
  ? ['drain', 'handlers', 'floor', 'latency', 'sustained', 'chain']
  : ['drain', 'handlers', 'latency', 'chain'];

let all: Figures = { exact: true };
for (const name of flags.only === undefined ? DEFAULT : flags.only.split(',')) {
  const measure = MEASUREMENTS[name];
  if (!measure) throw new Error(`--only knows ${Object.keys(MEASUREMENTS).join(', ')}, not ${name}`);
  const figures = await measure();
  all = { ...all, ...figures, exact: all.exact && figures.exact };
}
const machine = { db, node: process.version, cpu: `${cpus().length} x ${cpus()[0]?.model.trim()}` };
if (flags.json) console.log(JSON.stringify({ ...machine, ...all }));
else {
  console.log(Object.values(machine).join(', '));
  console.table(all);
}
if (!all.exact) {
  console.error('a run was not exact: its figures mean nothing');
  process.exitCode = 1;
}
