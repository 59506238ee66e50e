import { Counter, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { Exposition } from './exposition.js';

it('sums the series that have the labels asked for', async () => {
  const registers = [new Registry()];
  const counter = new Counter({ name: 'runs_total', help: 'Runs.', labelNames: ['handler', 'outcome'], registers });
  counter.inc({ handler: 'a', outcome: 'dead' }, 2);
  counter.inc({ handler: 'a', outcome: 'completed' }, 40);
  counter.inc({ handler: 'say "b", {c}', outcome: 'completed' }, 500);
  const found = new Exposition((await registers[0]?.metrics()) ?? '');
  expect([
    found.sum('runs_total'),
    found.sum('runs_total', { outcome: 'completed' }),
    found.sum('runs_total', { outcome: 'completed', handler: 'a' }),
    found.sum('runs_total', { outcome: 'lost' }),
    found.sum('runs'),
  ]).toEqual([542, 540, 40, 0, 0]);
});
