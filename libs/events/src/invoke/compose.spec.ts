/** Scope: how links make a chain; what each of them does has a spec of its own. */
import { describe, expect, it } from 'vitest';
import { newAttempt, newHandler } from './attempt.fixture.js';
import type { Attempt } from './attempt.js';
import type { ChainLink } from './chain-link.js';
import { compose } from './compose.js';

const attempt = newAttempt(newHandler());

function link(name: string, seen: string[]): ChainLink {
  return {
    name,
    async invoke(given, next) {
      expect(given).toBe(attempt);
      seen.push(`> ${name}`);
      try {
        await next();
        seen.push(`< ${name}`);
      } catch (error) {
        seen.push(`! ${name}`);
        throw error;
      }
    },
  };
}

describe('the invoker chain', () => {
  it('is entered in the order given and left in the opposite one', async () => {
    const seen: string[] = [];
    const invoke = compose(
      ['tracing', 'circuit', 'timeout'].map((name) => link(name, seen)),
      async () => void seen.push('handler'),
    );
    await invoke(attempt);
    expect(seen).toEqual(['> tracing', '> circuit', '> timeout', 'handler', '< timeout', '< circuit', '< tracing']);
  });

  it('carries the handler’s error through every link', async () => {
    const seen: string[] = [];
    const error = new Error('down');
    const invoke = compose([link('outer', seen), link('inner', seen)], () => Promise.reject(error));
    await expect(invoke(attempt)).rejects.toBe(error);
    expect(seen).toEqual(['> outer', '> inner', '! inner', '! outer']);
  });

  it('ends where a link refuses', async () => {
    const seen: string[] = [];
    const refuse: ChainLink = { name: 'refuse', invoke: () => Promise.reject(new Error('refused')) };
    const invoke = compose([link('outer', seen), refuse, link('inner', seen)], async () => {});
    await expect(invoke(attempt)).rejects.toThrow('refused');
    expect(seen).toEqual(['> outer', '! outer']);
  });

  it('runs what is inside of a link as often as that calls it', async () => {
    const seen: string[] = [];
    const twice: ChainLink = {
      name: 'twice',
      async invoke(_attempt, next) {
        await next();
        await next();
      },
    };
    await compose([twice, link('inner', seen)], async () => void seen.push('handler'))(attempt);
    expect(seen).toEqual(['> inner', 'handler', '< inner', '> inner', 'handler', '< inner']);
  });

  it('is the handler alone without links', async () => {
    const seen: Attempt[] = [];
    await compose([], async (given) => void seen.push(given))(attempt);
    expect(seen).toEqual([attempt]);
  });
});
