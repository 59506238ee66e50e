/** Scope: the order in which a heap gives back what it was given. */
import { describe, expect, it } from 'vitest';
import { Heap } from './heap.js';

describe('Heap', () => {
  it('gives back the first, however pushes and pops are mixed', () => {
    const heap = new Heap<number>((a, b) => a < b);
    const kept: number[] = [];
    const [popped, expected]: (number | undefined)[][] = [[], []];
    let random = 1;
    for (let step = 0; step < 5_000; step++) {
      random = (random * 48_271) % 2_147_483_647;
      if (random % 3 > 0) {
        heap.push(random % 1_000);
        kept.push(random % 1_000);
        kept.sort((a, b) => a - b);
      } else {
        popped?.push(heap.first, heap.pop());
        expected?.push(kept[0], kept.shift());
      }
    }
    expect(popped).toEqual(expected);
    expect(kept.map(() => heap.pop())).toEqual(kept);
    expect([heap.first, heap.pop()]).toEqual([undefined, undefined]);
  });
});
