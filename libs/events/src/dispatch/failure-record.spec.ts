import { describe, expect, it } from 'vitest';
import { describeFailure } from './failure-record.js';

const at = { at: 5, attempt: 2, durationMs: 3, node: 'here' };

describe('the record of a failed attempt', () => {
  it('has when, where, name, message and stack', () => {
    const error = new TypeError('broken');
    expect(describeFailure(error, at)).toEqual({ ...at, name: 'TypeError', message: 'broken', stack: error.stack });
  });

  it('lists causes outermost first, members of an AggregateError after its own cause', () => {
    const deepest = new Error('deepest');
    const member = new Error('member', { cause: deepest });
    const error = new AggregateError([member], 'all', { cause: new Error('cause') });
    expect(describeFailure(error, at).causes?.map(({ message }) => message)).toEqual(['cause', 'member', 'deepest']);
  });

  it('ends where causes go in a circle, and after five of them', () => {
    const error = new Error('a');
    error.cause = new Error('b', { cause: error });
    expect(describeFailure(error, at).causes?.map(({ message }) => message)).toEqual(['b']);

    const many = new AggregateError(Array.from({ length: 9 }, (_, n) => new Error(String(n))));
    expect(describeFailure(many, at).causes?.map(({ message }) => message)).toEqual(['0', '1', '2', '3', '4']);
  });

  it.each([
    ['text', "'text'"],
    [undefined, 'undefined'],
    [Object.create(null), '[Object: null prototype] {}'],
    [Symbol('s'), 'Symbol(s)'],
  ])('shows a thrown non-Error: %#', (thrown, message) => {
    expect(describeFailure(thrown, at)).toEqual({ ...at, name: 'NonError', message });
  });

  it('cuts texts at 8 KiB', () => {
    const { message } = describeFailure(new Error('x'.repeat(10_000)), at);
    expect(message).toBe(`${'x'.repeat(8_192)}…`);
  });

  it('takes fields of an error that are no texts', () => {
    const error = Object.assign(new Error(), { message: { code: 7 }, name: undefined, stack: undefined });
    expect(describeFailure(error, at)).toEqual({ ...at, name: 'undefined', message: '{ code: 7 }' });
  });
});
