/** Scope: the link that runs the rest in the context of the event's headers, whatever the application's restore does. */
import { describe, expect, it, vi } from 'vitest';
import { ContextRestoreError } from '../errors/context-restore.error.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import type { ContextHeaders } from './context-headers.js';
import { ContextMiddleware } from './context.middleware.js';

const down = new Error('down');
const bug = new Error('bug');

function invoke(restore: ContextHeaders['restore'], next: () => Promise<void> = () => Promise.resolve()) {
  const attempt = newAttempt(newHandler(), { event: { headers: '{"tenant":"acme"}' } });
  return new ContextMiddleware({ restore }).invoke(attempt, next);
}

describe('the context of an event', () => {
  it('is restored from its headers around the rest', async () => {
    const seen: unknown[] = [];
    await invoke(
      async (headers, run) => {
        seen.push(headers);
        await run();
        seen.push('after');
      },
      async () => void seen.push('rest'),
    );
    expect(seen).toEqual([{ tenant: 'acme' }, 'rest', 'after']);
  });

  it('fails the attempt if restore throws, before or after, at once or later', async () => {
    const fails: ContextHeaders['restore'][] = [
      () => {
        throw bug;
      },
      () => Promise.reject(bug),
      async (_headers, run) => {
        await run();
        throw bug;
      },
    ];
    for (const restore of fails) await expect(invoke(restore)).rejects.toBe(bug);
  });

  it('fails the attempt if restore never calls run', async () => {
    await expect(invoke(async () => {})).rejects.toThrow(ContextRestoreError);
    await expect(invoke(async () => {})).rejects.toMatchObject({ handler: 'h', code: 'EVENTS_CONTEXT_RESTORE' });
  });

  it.each<[string, ContextHeaders['restore']]>([
    ['passes it on', (_headers, run) => run()],
    ['swallows it', (_headers, run) => run().catch(() => {})],
    [
      'has another instead',
      async (_headers, run) => {
        await run().catch(() => {
          throw bug;
        });
      },
    ],
    [
      'does not wait for run, nor ends before the handler has failed',
      async (_headers, run) => {
        void run();
        await new Promise((resolve) => setImmediate(resolve));
      },
    ],
  ])('has the handler’s error count if restore %s', async (_what, restore) => {
    await expect(invoke(restore, () => Promise.reject(down))).rejects.toBe(down);
  });

  it('lasts until the rest has ended, also if restore does not wait', async () => {
    const seen: string[] = [];
    await invoke(
      async (_headers, run) => {
        void run();
        throw bug;
      },
      async () => {
        await new Promise((resolve) => setImmediate(resolve));
        seen.push('ended');
      },
    ).catch((error: unknown) => seen.push(String(error)));
    expect(seen).toEqual(['ended', 'Error: bug']);
  });

  it('runs the rest once, however often run is called', async () => {
    const next = vi.fn(() => Promise.resolve());
    await invoke(async (_headers, run) => {
      await Promise.all([run(), run()]);
    }, next);
    expect(next).toHaveBeenCalledTimes(1);
  });
});
