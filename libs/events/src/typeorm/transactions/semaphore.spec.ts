import { describe, expect, it } from 'vitest';
import { Semaphore } from './semaphore.js';

async function settle() {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('Semaphore', () => {
  it('lets so many run at once, the others first come first served, also after one that fails', async () => {
    const semaphore = new Semaphore(2);
    const running: number[] = [];
    const ends: ((fails: boolean) => void)[] = [];
    const start = (n: number) =>
      semaphore.run(() => {
        running.push(n);
        return new Promise<number>(
          (done, failed) => (ends[n] = (fails) => (fails ? failed(new Error(`${n}`)) : done(n))),
        );
      });
    const results = Promise.allSettled([0, 1, 2, 3, 4].map(start));
    await settle();
    expect(running).toEqual([0, 1]);
    ends[1]?.(true);
    await settle();
    expect(running).toEqual([0, 1, 2]);
    ends[0]?.(false);
    ends[2]?.(false);
    await settle();
    expect(running).toEqual([0, 1, 2, 3, 4]);
    ends[3]?.(false);
    ends[4]?.(false);
    expect((await results).map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
    ]);
  });

  it('keeps whoever comes while a permit is handed on behind those who wait', async () => {
    const semaphore = new Semaphore(1);
    const order: string[] = [];
    const first = semaphore.run(async () => {});
    const second = semaphore.run(async () => order.push('waited'));
    await first;
    const third = semaphore.run(async () => order.push('came later'));
    await Promise.all([second, third]);
    expect(order).toEqual(['waited', 'came later']);
  });
});
