import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileMutex, fileMutex } from './file-mutex.js';

describe('FileMutex', () => {
  it('gives turns in the order asked, to transactions and to verbs alike', async () => {
    const mutex = new FileMutex();
    const log: string[] = [];
    const first = await mutex.acquire();
    const transaction = async (name: string) => {
      const release = await mutex.acquire();
      log.push(name);
      release();
    };
    const second = transaction('second');
    const verb = mutex.run(() => log.push('verb'));
    const third = transaction('third');
    log.push('first');
    first();
    first();
    await Promise.all([second, verb, third]);
    expect(log).toEqual(['first', 'second', 'verb', 'third']);
  });

  it('runs a verb at once when nobody holds the file', () => {
    const log: string[] = [];
    void new FileMutex().run(() => log.push('ran'));
    expect(log).toEqual(['ran']);
  });

  it('goes on after a verb that throws', async () => {
    const mutex = new FileMutex();
    await expect(
      mutex.run(() => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await mutex.idle();
    (await mutex.acquire())();
  });

  it('knows a file by any of its paths, before and after it exists', () => {
    const directory = mkdtempSync(join(tmpdir(), 'mutex-'));
    try {
      symlinkSync(directory, `${directory}-link`);
      const before = fileMutex(join(`${directory}-link`, 'deep', 'a.sqlite'));
      mkdirSync(join(directory, 'deep'));
      expect(fileMutex(join(directory, 'deep', '..', 'deep', 'a.sqlite'))).toBe(before);
      expect(fileMutex(join(directory, 'deep', 'b.sqlite'))).not.toBe(before);
    } finally {
      rmSync(`${directory}-link`, { force: true });
      rmSync(directory, { recursive: true });
    }
  });

  it('knows an in-memory database by its only connection', () => {
    const [one, two] = [{}, {}];
    expect(fileMutex(one)).toBe(fileMutex(one));
    expect(fileMutex(one)).not.toBe(fileMutex(two));
  });
});
