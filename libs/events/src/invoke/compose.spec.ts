import { describe, expect, it } from 'vitest';
import { compose } from './compose.js';
import { Invocation } from './invocation.js';
import type { EventMiddleware } from './middleware.js';

const invocation = {} as Invocation;

function link(name: string, seen: string[]): EventMiddleware {
  return {
    async invoke(given, next) {
      expect(given).toBe(invocation);
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
    await invoke(invocation);
    expect(seen).toEqual(['> tracing', '> circuit', '> timeout', 'handler', '< timeout', '< circuit', '< tracing']);
  });

  it('carries the handler’s error through every link', async () => {
    const seen: string[] = [];
    const error = new Error('down');
    const invoke = compose([link('outer', seen), link('inner', seen)], () => Promise.reject(error));
    await expect(invoke(invocation)).rejects.toBe(error);
    expect(seen).toEqual(['> outer', '> inner', '! inner', '! outer']);
  });

  it('ends where a link refuses', async () => {
    const seen: string[] = [];
    const refuse: EventMiddleware = { invoke: () => Promise.reject(new Error('refused')) };
    await expect(
      compose([link('outer', seen), refuse, link('inner', seen)], async () => {})(invocation),
    ).rejects.toThrow('refused');
    expect(seen).toEqual(['> outer', '! outer']);
  });

  it('is the handler alone without links', async () => {
    const seen: Invocation[] = [];
    await compose([], async (given) => void seen.push(given))(invocation);
    expect(seen).toEqual([invocation]);
  });
});
