/** Traces over two processes, each with an exporter of its own: what the one has sent is what the other names. */
import { describe, expect, it } from 'vitest';
import type { EventsModuleOptions } from 'nestjs-durable-events';
import { whenTrue } from '../support/chain-cluster.js';
import { databaseKinds } from '../support/database-kinds.js';
import { TracedNode } from '../support/traced-node.js';
import type { SeenSpan } from '../support/traced-node.worker.js';
import { WorkDatabase } from '../support/work-database.js';

const ATTEMPT = 'process work.done work';

/**
 * The event is published and first attempted by one node, and attempted again by another. Answers each one's spans by
 * name, and the event's id.
 */
async function run(kind: (typeof databaseKinds)[number], tracing: EventsModuleOptions['tracing']) {
  const work = await WorkDatabase.create(kind, []);
  const nodes: TracedNode[] = [];
  const start = async () => {
    const node = await TracedNode.start({ dataSource: work.options, events: { pollInterval: '50ms', tracing } });
    nodes.push(node);
    return node;
  };
  try {
    const [first, second] = [await start(), await start()];
    await second.call('pause');
    const id = await first.call('publish');
    await first.call('begun');
    await first.call('pause');
    await second.call('resume');
    await first.call('failFirst');
    await whenTrue(async () => (await second.call('spans')).some(({ name }) => name === ATTEMPT));
    return { id, first: byName(await first.call('spans')), second: byName(await second.call('spans')) };
  } finally {
    await Promise.all(nodes.map((node) => node.close()));
    await work.drop();
  }
}

function byName(spans: readonly SeenSpan[]): Record<string, SeenSpan> {
  const named = Object.fromEntries(spans.map((span) => [span.name, span]));
  expect(Object.keys(named)).toHaveLength(spans.length);
  return named;
}

const idsOf = ({ traceId, spanId }: SeenSpan) => ({ traceId, spanId });

describe.each(databaseKinds)('two traced nodes on one $name database', (kind) => {
  it('link the second attempt to the publish and to the first attempt, which were the other’s', async () => {
    const { id, first, second } = await run(kind, undefined);
    const { request, 'publish work.done': publish, [ATTEMPT]: failed } = first;
    const { [ATTEMPT]: succeeded, 'publish work.followed': followed } = second;
    expect(Object.keys(first)).toHaveLength(3);
    expect(Object.keys(second)).toHaveLength(2);

    expect(publish).toMatchObject({ traceId: request.traceId, parentSpanId: request.spanId });
    expect([failed.parentSpanId, succeeded.parentSpanId]).toEqual([undefined, undefined]);
    expect(failed.links).toEqual([idsOf(publish)]);
    expect(succeeded.links).toEqual([idsOf(publish), idsOf(failed)]);
    expect(followed).toMatchObject({ traceId: succeeded.traceId, parentSpanId: succeeded.spanId });
    expect(new Set([publish, failed, succeeded].map(({ traceId }) => traceId)).size).toBe(3);

    const told = (span: SeenSpan) => [span.attributes['events.attempt'], span.attributes['events.outcome']];
    expect([told(failed), told(succeeded)]).toEqual([
      [1, 'retry'],
      [2, 'completed'],
    ]);
    for (const { attributes } of [publish, failed, succeeded]) expect(attributes['messaging.message.id']).toBe(id);
    expect(succeeded.attributes['events.delivery.id']).toBe(failed.attributes['events.delivery.id']);
  });

  it('share one trace with the option parent', async () => {
    const { first, second } = await run(kind, { parent: 'parent' });
    const { 'publish work.done': publish, [ATTEMPT]: failed } = first;
    const { [ATTEMPT]: succeeded } = second;
    expect([failed.parentSpanId, succeeded.parentSpanId]).toEqual([publish.spanId, publish.spanId]);
    expect(succeeded.links).toEqual([idsOf(failed)]);
    expect(new Set([...Object.values(first), ...Object.values(second)].map(({ traceId }) => traceId)).size).toBe(1);
  });
});
