import { describe, expect, it } from 'vitest';
import { mismatches } from './mismatch.js';

describe('mismatches', () => {
  it.each([
    [{ a: 1 }, { a: 1, b: 2 }, []],
    [{ a: { b: 1 } }, { a: { b: 2, c: 3 } }, ['a.b: expected 1, was 2']],
    [{ a: 1 }, undefined, ['expected { a: 1 }, was undefined']],
    [{ a: undefined }, {}, []],
    [{ list: [{ id: 1 }] }, { list: [{ id: 1, more: true }] }, []],
    [{ list: [{ id: 1 }, { id: 3 }] }, { list: [{ id: 1 }, { id: 2 }] }, ['list[1].id: expected 3, was 2']],
    [[1], [1, 2], ['expected [ 1 ], was [ 1, 2 ]']],
    [[], {}, ['expected [], was {}']],
    [{}, [], ['expected {}, was []']],
    [/^p-/, 'p-1', []],
    [/^p-/g, 'q-1', ["expected /^p-/g, was 'q-1'"]],
    [/1/, 1, ['expected /1/, was 1']],
    [new Date(5), new Date(5), []],
    [new Date(5), new Date(6), [expect.stringContaining('1970-01-01T00:00:00.006Z')]],
    [null, undefined, ['expected null, was undefined']],
    [NaN, NaN, []],
    [{ id: expect.any(String) }, { id: 'x' }, []],
    [{ id: expect.any(String) }, { id: 5 }, [expect.stringContaining('id: expected')]],
  ])('%o in %o', (expected, actual, found) => {
    expect(mismatches(expected, actual)).toEqual(found);
  });
});
