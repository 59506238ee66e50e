/**
 * The library beside its peers, with the same work, in one run: `npm run bench:peers [-- --rounds N]`. Each round runs
 * every system once, each on a database of its own; what is shown is the median of the rounds, and its ratio to ours.
 */
import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { Client } from 'pg';

const run = promisify(execFile);
const { rounds, only } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, only: { type: 'string', default: '' } },
}).values;
const SERVER = process.env.EVENTS_TEST_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/test';
const REDIS = process.env.EVENTS_TEST_REDIS_URL ?? 'redis://127.0.0.1:6379';
const SYSTEMS = ['durable-events', 'graphile-worker', 'pg-boss', 'bullmq'].filter(
  (name) => only === '' || only.includes(name),
);
/** Less is better. */
const isTime = (figure) => figure.endsWith('Ms');

async function admin(sql) {
  const client = new Client({ connectionString: SERVER });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function measure(system) {
  const name = `events_peers_${process.pid}`;
  if (system === 'bullmq') return answer(system, `${REDIS}#${name}`);
  await admin(`create database ${name}`);
  try {
    const url = new URL(SERVER);
    url.pathname = `/${name}`;
    return await answer(system, url.href);
  } finally {
    await admin(`drop database ${name} with (force)`);
  }
}

async function answer(system, address) {
  const { stdout } = await run(process.execPath, [join(import.meta.dirname, `${system}.mjs`), address], {
    timeout: 600_000,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

const results = Object.fromEntries(SYSTEMS.map((system) => [system, []]));
for (let round = 1; round <= Number(rounds); round++) {
  for (const system of SYSTEMS) {
    const figures = await measure(system);
    console.error(`round ${round}, ${system}: ${JSON.stringify(figures)}`);
    results[system].push(figures);
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const table = {};
for (const figure of Object.keys(results[SYSTEMS[0]][0])) {
  const of = (system) => median(results[system].map((one) => one[figure]));
  const ours = of(SYSTEMS[0]);
  table[figure] = Object.fromEntries(
    SYSTEMS.map((system, index) => {
      const ratio = isTime(figure) ? of(system) / ours : ours / of(system);
      return [system, index === 0 ? String(ours) : `${of(system)} (${ratio.toFixed(2)}x)`];
    }),
  );
}
const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, 'package.json'), 'utf8'));
console.log(
  `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${new Date().toISOString().slice(0, 10)}`,
);
console.log(
  Object.entries(dependencies)
    .map(([name, version]) => `${name} ${version}`)
    .join(', '),
);
console.log('(in brackets: how many times better ours is)');
console.table(table);
