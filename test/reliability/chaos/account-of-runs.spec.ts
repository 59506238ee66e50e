/** The accounting of the chaos run, as to when things ran: at the same time, or out of order. */
import { describe, expect, it } from 'vitest';
import { keyed, LANE, Ledger, MAIL, MS, paid } from './ledger.fixture.js';

describe('the accounting', () => {
  describe('overlapping', () => {
    /** The first run begins at 100 and says no more; the second, in another process, takes from `at` 5 ms. */
    function twice(at: number): { record: Ledger; first: string } {
      const record = new Ledger();
      record.commit('t1', [paid('t1-1')]);
      const first = record.begin('t1-1', 'mail', 100);
      record.deliver('t1-1', 'mail', at, { process: 'node-2.1' });
      return { record, first };
    }
    const FOUND = [['overlapping', 't1-1', 'mail']];

    it('two runs of one delivery while the earlier has neither ended nor been told to', () => {
      expect(twice(200).record.findings(MAIL)).toEqual(FOUND);
      expect(twice(60_000).record.findings(MAIL)).toEqual(FOUND);
    });

    it('not when the earlier had ended, or its process was killed', () => {
      const ended = twice(200);
      ended.record.write('node-1.1', { kind: 'end', at: 199, run: ended.first, error: 'x' });
      expect(ended.record.account(MAIL)).toMatchObject({ findings: [], leaked: 0, outlived: 0 });

      const killed = twice(200);
      killed.record.write('driver', { kind: 'kill', at: 150, process: 'node-1.1' });
      killed.record.write('driver', { kind: 'exit', at: 250, process: 'node-1.1', how: 'SIGKILL' });
      expect(killed.record.account(MAIL)).toMatchObject({ findings: [], leaked: 0, outlived: 0 });
    });

    it('but when it ended, was killed, or was told to stop only later', () => {
      const ended = twice(200);
      ended.record.write('node-1.1', { kind: 'end', at: 201, run: ended.first });
      expect(ended.record.findings(MAIL)).toEqual(FOUND);

      const killed = twice(200);
      killed.record.write('driver', { kind: 'kill', at: 201, process: 'node-1.1' });
      expect(killed.record.findings(MAIL)).toEqual(FOUND);

      const aborted = twice(200);
      aborted.record.write('node-1.1', { kind: 'abort', at: 201, run: aborted.first, why: 'timeout' });
      expect(aborted.record.findings(MAIL)).toEqual(FOUND);
    });

    it('a run that went on after it was told to stop is counted apart', () => {
      const { record, first } = twice(200);
      record.write('node-1.1', { kind: 'abort', at: 150, run: first, why: 'timeout' });
      expect(record.account(MAIL)).toMatchObject({ findings: [], leaked: 1, outlived: 0 });
    });

    it.each(['continue', 'kill', 'stall'] as const)(
      'a run of a process that was silent past its lease is counted apart (until: %s)',
      (end) => {
        const { record, first } = twice(7_000);
        if (end !== 'stall') record.write('driver', { kind: 'stop', at: 200, process: 'node-1.1' });
        if (end === 'stall') record.write('node-1.1', { kind: 'stall', at: 8_000, sinceUs: 200 * MS });
        else record.write('driver', { kind: end, at: 8_000, process: 'node-1.1' });
        record.write('node-1.1', { kind: 'end', at: 8_001, run: first });
        expect(record.account(MAIL)).toMatchObject({ findings: [], leaked: 0, outlived: 1 });
      },
    );

    it('a run that such a process begins right after is counted apart, one that it begins later is not', () => {
      for (const [at, findings] of [
        [8_100, []],
        [15_000, FOUND],
      ] as const) {
        const record = new Ledger();
        record.commit('t1', [paid('t1-1')]);
        record.begin('t1-1', 'mail', 7_000, 'node-2.1');
        record.write('driver', { kind: 'stop', at: 200, process: 'node-1.1' });
        record.write('driver', { kind: 'continue', at: 8_000, process: 'node-1.1' });
        record.deliver('t1-1', 'mail', at);
        expect(record.findings(MAIL)).toEqual(findings);
      }
    });

    it('but a stop that is much shorter than the lease excuses nothing', () => {
      const { record } = twice(2_000);
      record.write('driver', { kind: 'stop', at: 200, process: 'node-1.1' });
      record.write('driver', { kind: 'continue', at: 2_500, process: 'node-1.1' });
      expect(record.findings(MAIL)).toEqual(FOUND);
    });

    it('nor does a long one, right at its begin', () => {
      const { record } = twice(1_000);
      record.write('driver', { kind: 'stop', at: 200, process: 'node-1.1' });
      record.write('driver', { kind: 'continue', at: 8_000, process: 'node-1.1' });
      expect(record.findings(MAIL)).toEqual(FOUND);
    });
  });

  describe('orderViolations', () => {
    function lane(): Ledger {
      const record = new Ledger();
      record.commit('t1', [keyed('t1-1')], { at: 0 });
      record.commit('t2', [keyed('t2-1')], { at: 5 });
      return record;
    }

    it('a delivery that begins before the one ahead of it is done', () => {
      const record = lane();
      record.deliver('t1-1', 'lane', 10);
      record.deliver('t2-1', 'lane', 13);
      expect(record.findings(LANE)).toEqual([['orderViolations', 't2-1', 'lane']]);
    });

    it('a delivery that overtakes', () => {
      const record = lane();
      record.deliver('t2-1', 'lane', 10);
      record.deliver('t1-1', 'lane', 20);
      expect(record.findings(LANE)).toEqual([['orderViolations', 't2-1', 'lane']]);
    });

    it('not one behind a run that was done and killed before it could say that it ended, nor one of another lane', () => {
      const record = lane();
      record.commit('t3', [{ ...keyed('t3-1'), orderingKey: 'other' }]);
      const run = record.begin('t1-1', 'lane', 10);
      record.write('node-1.1', { kind: 'done', at: 12, run });
      record.add('completions', { seq: 1, handler: 'lane', outcome: 'completed' });
      record.deliver('t2-1', 'lane', 13);
      record.deliver('t3-1', 'lane', 11);
      expect(record.findings(LANE)).toEqual([]);
    });

    it('not of a handler that does not order', () => {
      const record = lane();
      record.deliver('t2-1', 'lane', 10);
      record.deliver('t1-1', 'lane', 20);
      expect(record.findings({ ...LANE, ordered: false })).toEqual([]);
    });

    it('an event that stands ahead of one that had been committed before it was published', () => {
      const record = new Ledger();
      record.commit('t2', [keyed('t2-1')], { at: 5 });
      record.commit('t1', [keyed('t1-1')], { at: 0 });
      expect(record.findings()).toEqual([['orderViolations', 't2-1']]);
    });

    it('not two that were published at the same time', () => {
      const record = new Ledger();
      record.commit('t2', [keyed('t2-1')], { at: 1 });
      record.commit('t1', [keyed('t1-1')], { at: 0 });
      expect(record.findings()).toEqual([]);
    });
  });
});
