/** Scope: the dashboard and the alert rules that ship with the library, against the metrics of a real run. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EveryFact } from '../support/every-fact.js';
import { closeManualApps } from '../support/manual-app.js';
import { hasPromtool, promtool } from '../support/promtool.js';

const ALERTS = fileURLToPath(new URL('../../libs/events/prometheus/alerts.yml', import.meta.url));
const DASHBOARD = fileURLToPath(new URL('../../libs/events/grafana/dashboard.json', import.meta.url));

/** Labels that Prometheus gives every series of a target. */
const OF_TARGETS = ['job', 'instance'];

let exposition: string;
/** Of each name that can be asked for: its labels. */
const series = new Map<string, Set<string>>();
let families: string[];

beforeAll(async () => {
  const registry = new Registry();
  const day = await EveryFact.begin({ metrics: { prometheus: registry } });
  await day.all();
  exposition = await registry.metrics();
  families = (await registry.getMetricsAsJSON()).map(({ name }) => name);
  for (const [, name, labels] of exposition.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    const known = series.get(name) ?? new Set(OF_TARGETS);
    for (const [, label] of (labels ?? '').matchAll(/(\w+)="/g)) known.add(label);
    series.set(name, known);
  }
});
afterAll(closeManualApps);

const namesIn = (text: string) => new Set(Array.from(text.matchAll(/\bevents_\w+/g), ([name]) => name));

/** Labels that an expression selects or groups by. */
function labelsIn(expression: string): Set<string> {
  const grouped = Array.from(expression.matchAll(/\bby \(([^)]*)\)/g), ([, labels]) => labels.split(/,\s*/));
  const selected = Array.from(expression.matchAll(/(\w+)=~?"/g), ([, label]) => label);
  return new Set([...grouped.flat(), ...selected]);
}

/** What is wrong with an expression: names and labels that no metric has. */
function unknownIn(expression: string): string[] {
  const names = [...namesIn(expression)];
  const labels = new Set(names.flatMap((name) => [...(series.get(name) ?? [])]));
  return [
    ...names.filter((name) => !series.has(name)),
    ...[...labelsIn(expression)].filter((label) => names.length > 0 && !labels.has(label)),
  ];
}

describe('the alert rules', () => {
  it('ask for metrics and labels that there are', async () => {
    const rules = await readFile(ALERTS, 'utf8');
    const expressions = Array.from(rules.matchAll(/^ +expr: (.*)$/gm), ([, expression]) => expression);
    expect(expressions).toHaveLength(rules.match(/- alert:/g)?.length ?? 0);
    expect(expressions.flatMap(unknownIn)).toEqual([]);
    // Lag twice, dead letters, an open circuit, no node, errors of the store.
    expect([...namesIn(expressions.join('\n'))].toSorted()).toEqual([
      'events_circuit_state',
      'events_dead_letters_total',
      'events_inbox_unprocessed_age_seconds',
      'events_nodes',
      'events_oldest_pending_age_seconds',
      'events_store_errors_total',
    ]);
  });

  it.skipIf(!hasPromtool)('are accepted by Prometheus', () => {
    const { ok, said } = promtool(['check', 'rules', ALERTS]);
    expect([ok, said]).toEqual([true, expect.stringContaining('6 rules found')]);
  });
});

describe('the dashboard', () => {
  it('shows every metric, and asks for none, and for no label, that there is not', async () => {
    const dashboard = await readFile(DASHBOARD, 'utf8');
    interface Panel {
      readonly id: number;
      readonly targets: readonly { readonly expr: string }[];
    }
    const { panels, templating } = JSON.parse(dashboard) as {
      panels: readonly Panel[];
      templating: { list: readonly { readonly definition?: string }[] };
    };
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const variables = templating.list.flatMap(({ definition = [] }) => definition);
    expect([...expressions, ...variables].flatMap(unknownIn)).toEqual([]);
    const shown = [...namesIn(expressions.join('\n'))].map((name) => name.replace(/_bucket$/, ''));
    expect(shown.toSorted()).toEqual(families.toSorted());
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});

describe('the exposition', () => {
  it.skipIf(!hasPromtool)('is accepted by Prometheus, without a remark', () => {
    expect(promtool(['check', 'metrics'], exposition)).toEqual({ ok: true, said: '' });
  });
});
