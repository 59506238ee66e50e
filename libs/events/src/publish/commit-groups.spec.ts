/** Scope: which publishes share a commit, and what becomes of the others when one is refused. */
import { describe, expect, it } from 'vitest';
import { LockTimeoutError } from '../errors/lock-timeout.error.js';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';
import { CommitGroups } from './commit-groups.js';
import type { EventAppender } from './event-appender.js';
import type { BuiltEvent } from './event-builder.js';

interface Commit {
  readonly ids: string[];
  readonly lockWaitMs: number | undefined;
  readonly done: () => void;
  readonly fail: (error: unknown) => void;
}

function setUp() {
  const commits: Commit[] = [];
  const append = (events: readonly BuiltEvent[], { lockWaitMs }: { lockWaitMs?: number } = {}) =>
    new Promise((resolve, reject) => {
      const ids = events.map(({ id }) => id);
      commits.push({ ids, lockWaitMs, done: () => resolve(ids.map((id) => ({ id, duplicate: false }))), fail: reject });
    });
  const groups = new CommitGroups({ append } as unknown as EventAppender);
  const settled: string[] = [];
  const publish = (id: string, payload = '{}', keys: Partial<BuiltEvent> = {}) => {
    groups.append({ id, payload, generatedId: true, orderingKey: null, ...keys } as BuiltEvent).then(
      (receipt) => settled.push(`${id}: ${receipt.id}`),
      (error: unknown) => settled.push(`${id}: ${String(error)}`),
    );
  };
  return { commits, publish, settled, ids: () => commits.map(({ ids }) => ids) };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('publishes', () => {
  it('of one turn of the event loop share a commit, and have succeeded when that is done', async () => {
    const { commits, publish, settled, ids } = setUp();
    publish('a');
    await Promise.resolve();
    publish('b');
    await turn();
    expect([ids(), settled]).toEqual([[['a', 'b']], []]);
    commits[0].done();
    await turn();
    expect(settled).toEqual(['a: a', 'b: b']);
  });

  it('that come while two commits are under way share the next', async () => {
    const { commits, publish, ids } = setUp();
    for (const id of ['a', 'b']) {
      publish(id);
      await turn();
    }
    for (const id of ['c', 'd']) publish(id);
    await turn();
    expect(ids()).toEqual([['a'], ['b']]);
    commits[1].done();
    await turn();
    await turn();
    expect(ids()).toEqual([['a'], ['b'], ['c', 'd']]);
  });

  it('are at most 500 in a commit, and of 4 MiB unless one alone is larger', async () => {
    const { commits, publish, ids } = setUp();
    for (let index = 0; index < 501; index++) publish(`${index}`);
    await turn();
    await turn();
    expect(ids().map(({ length }) => length)).toEqual([500, 1]);
    for (const { done } of commits.splice(0)) done();
    await turn();
    const mebibytes = (count: number) => 'x'.repeat(count * 2 ** 20);
    for (const [id, size] of [
      ['a', 5],
      ['b', 3],
      ['c', 1],
      ['d', 1],
    ] as const)
      publish(id, mebibytes(size));
    await turn();
    await turn();
    expect(ids()).toEqual([['a'], ['b', 'c']]);
  });

  it('suffer nothing from one that is refused: the group is halved until that is alone', async () => {
    const { commits, publish, settled, ids } = setUp();
    for (const id of ['a', 'bad', 'c', 'd']) publish(id);
    await turn();
    const refusal = new Error('refused');
    for (let index = 0; index < commits.length; index++) {
      const { ids, done, fail } = commits[index];
      if (ids.includes('bad')) fail(refusal);
      else done();
      await turn();
    }
    expect(ids()).toEqual([['a', 'bad', 'c', 'd'], ['a', 'bad'], ['a'], ['bad'], ['c', 'd']]);
    expect(settled).toEqual(['a: a', 'bad: Error: refused', 'c: c', 'd: d']);
  });

  it('all fail at once when the database is away', async () => {
    const { commits, publish, settled } = setUp();
    for (const id of ['a', 'b']) publish(id);
    await turn();
    commits[0].fail(new StoreUnavailableError('gone'));
    await turn();
    expect(commits).toHaveLength(1);
    expect(settled).toHaveLength(2);
    expect(settled[0]).toMatch(/^a: .*gone/);
  });

  it('that may have to wait for others share commits among themselves, which wait a moment only', async () => {
    const { commits, publish, ids } = setUp();
    publish('free');
    publish('own id', '{}', { generatedId: false });
    publish('key', '{}', { orderingKey: 'k' });
    await turn();
    expect(ids()).toEqual([['free'], ['own id', 'key']]);
    expect(commits.map(({ lockWaitMs }) => lockWaitMs)).toEqual([undefined, 100]);
  });

  it('go on one by one when that was in vain, and only the one that must wait does', async () => {
    const { commits, publish, settled, ids } = setUp();
    for (const id of ['a', 'busy', 'c']) publish(id, '{}', { generatedId: false });
    await turn();
    commits[0].fail(new LockTimeoutError('locked'));
    await turn();
    expect(ids().slice(1)).toEqual([['a'], ['busy'], ['c']]);
    expect(commits.slice(1).map(({ lockWaitMs }) => lockWaitMs)).toEqual([undefined, undefined, undefined]);
    commits[1].done();
    commits[3].done();
    await turn();
    expect(settled).toEqual(['a: a', 'c: c']);
    // Others need not wait for it either.
    publish('d', '{}', { generatedId: false });
    publish('e', '{}', { generatedId: false });
    await turn();
    expect(ids().at(-1)).toEqual(['d', 'e']);
    commits[2].fail(new LockTimeoutError('locked for too long'));
    await turn();
    expect(settled[2]).toMatch(/^busy: LockTimeoutError.*locked for too long/);
  });
});
