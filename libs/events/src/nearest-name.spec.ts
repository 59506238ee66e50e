import { expect, it } from 'vitest';
import { nearestName } from './nearest-name.js';

it.each([
  ['concurency', 'concurrency'],
  ['datasource', 'dataSource'],
  ['batch', undefined],
  ['polInterval', 'pollInterval'],
  ['Leese', 'lease'],
  ['x', undefined],
  ['', undefined],
])('the name nearest to "%s" is %o', (written, nearest) => {
  expect(nearestName(written, ['dataSource', 'concurrency', 'batchSize', 'pollInterval', 'lease'])).toBe(nearest);
});

it('prefers the nearer, then the first', () => {
  expect([nearestName('retries', ['retrieX', 'retry', 'retries2']), nearestName('ab', ['abc', 'abd'])]).toEqual([
    'retrieX',
    'abc',
  ]);
});
