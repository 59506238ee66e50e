/** The accounting of the chaos run: it finds every kind of lost, phantom, double and stuck delivery in doctored ledgers. */
import { describe, expect, it } from 'vitest';
import { DOOMED, Ledger, MAIL, paid, PAY } from './ledger.fixture.js';

/** Two events, both delivered to both handlers. */
function clean(): Ledger {
  const record = new Ledger();
  record.commit('t1', [paid('t1-1'), paid('t1-2')]);
  for (const event of ['t1-1', 't1-2']) {
    record.deliver(event, 'pay', 10, { effect: true });
    record.deliver(event, 'mail');
  }
  return record;
}

describe('the accounting', () => {
  it('finds nothing in a clean record', () => {
    const { findings, ...counts } = clean().account(PAY, MAIL);
    expect(findings).toEqual([]);
    expect(counts).toEqual({ events: 2, deliveries: 4, leaked: 0, outlived: 0 });
  });

  it('tells what became of one event, in time', () => {
    const lines = clean().timeline('t1-2');
    expect(lines.map((line) => /"kind":"([^"]+)"/.exec(line)?.[1])).toEqual([
      'begin-transaction',
      'end-transaction',
      'begin',
      'begin',
      'done',
      'done',
      'end',
      'end',
    ]);
  });

  describe('lost', () => {
    it.each<[string, (record: Ledger) => void]>([
      [
        'neither live nor ended',
        (record) => record.remove('completions', ({ seq, handler }) => seq === 1 && handler === 'pay'),
      ],
      ['completed without its effect', (record) => record.remove('effects', ({ event }) => event === 't1-1')],
      [
        'dead, though its handler never gives up',
        (record) => {
          record.remove('completions', ({ seq, handler }) => seq === 1 && handler === 'pay');
          record.remove('effects', ({ event }) => event === 't1-1');
          record.add('deadLetters', { seq: 1, handler: 'pay', reason: 'exhausted', errors: '' });
        },
      ],
      [
        'with another outcome',
        (record) => {
          record.remove('completions', ({ seq, handler }) => seq === 1 && handler === 'pay');
          record.add('completions', { seq: 1, handler: 'pay', outcome: 'cancelled' });
        },
      ],
    ])('a delivery that is %s', (_, doctor) => {
      const record = clean();
      doctor(record);
      expect(record.findings(PAY, MAIL)).toEqual([['lost', 't1-1', 'pay']]);
    });

    it('a delivery that is completed although no run came to its end', () => {
      const record = new Ledger();
      record.commit('t1', [paid('t1-1')]);
      record.add('completions', { seq: 1, handler: 'mail', outcome: 'completed' });
      expect(record.findings(MAIL)).toEqual([['lost', 't1-1', 'mail']]);
    });

    it('an event that was committed and is not in the inbox, also when its publisher did not live to know', () => {
      const record = new Ledger();
      record.publish('t1', [paid('t1-1')]);
      record.publish('t2', [paid('t2-1')], { result: 'killed' });
      record.publish('t3', [paid('t3-1')], { route: 'single' });
      record.add('business', 't1');
      record.add('business', 't2');
      expect(record.findings(MAIL)).toEqual(['t1-1', 't2-1', 't3-1'].map((event) => ['lost', event, 'mail']));
    });

    it('a transaction that was told to be committed and left no row', () => {
      const record = new Ledger();
      record.publish('t1', [paid('t1-1')]);
      expect(record.findings(MAIL)).toEqual([['lost', 't1-1']]);
    });

    it('the rest of a batch that is stored in part', () => {
      const record = new Ledger();
      record.publish('t1', [paid('t1-1'), paid('t1-2')], { route: 'all', result: 'unknown' });
      record.store(paid('t1-2'));
      record.deliver('t1-2', 'mail');
      expect(record.findings(MAIL)).toEqual([['lost', 't1-1']]);
    });

    it('nothing of a batch that is gone, one of whose events has been published again', () => {
      const record = new Ledger();
      record.publish('t1', [paid('t1-1'), paid('t1-2')], { route: 'all', result: 'unknown' });
      record.commit('t2', [paid('t1-2')], { at: 5 });
      record.deliver('t1-2', 'mail');
      expect(record.findings(MAIL)).toEqual([]);
    });

    it('a dead letter that is not there', () => {
      const record = new Ledger();
      record.commit('t1', [
        { id: 't1-1', type: 'chaos.doomed' },
        { id: 't1-2', type: 'chaos.doomed' },
      ]);
      record.deliver('t1-1', 'doomed', 10, { dead: true });
      record.deliver('t1-2', 'doomed');
      expect(record.findings(DOOMED)).toEqual([['lost', 't1-2', 'doomed']]);
    });
  });

  describe('phantom', () => {
    it.each<[string, (record: Ledger) => void]>([
      ['stored', (record) => record.store(paid('t2-1'))],
      ['delivered', (record) => void record.begin('t2-1', 'pay', 20)],
      ['in effect', (record) => record.add('effects', { event: 't2-1', handler: 'pay', run: 'node-1.1#9' })],
    ])('an event of a transaction that was rolled back, and is %s', (_, doctor) => {
      const record = clean();
      record.publish('t2', [paid('t2-1')], { result: 'rolled-back' });
      expect(record.findings(PAY, MAIL)).toEqual([]);
      doctor(record);
      expect(record.findings(PAY, MAIL)).toEqual([['phantom', 't2-1']]);
    });

    it('a transaction that was rolled back and left its row', () => {
      const record = new Ledger();
      record.publish('t1', [paid('t1-1')], { result: 'rolled-back' });
      record.add('business', 't1');
      record.store(paid('t1-1'));
      record.deliver('t1-1', 'mail');
      expect(record.findings(MAIL)).toEqual([['phantom', 't1-1']]);
    });

    it('is not what a later transaction published under the same id, nor what nobody knows and is stored', () => {
      const record = new Ledger();
      record.publish('t1', [paid('t1-1')], { result: 'rolled-back' });
      record.commit('t2', [paid('t1-1')]);
      record.deliver('t1-1', 'mail');
      record.publish('t3', [paid('t3-1')], { route: 'single', result: 'killed' });
      record.publish('t4', [paid('t4-1')], { route: 'single', result: 'unknown' });
      record.store(paid('t4-1'));
      record.deliver('t4-1', 'mail');
      expect(record.account(MAIL)).toMatchObject({ events: 2, deliveries: 2, findings: [] });
    });
  });

  describe('doubleEffects', () => {
    it.each<[string, (record: Ledger) => void]>([
      ['has its effect twice', (record) => record.add('effects', { event: 't1-1', handler: 'pay', run: 'node-2.1#1' })],
      ['ended twice', (record) => record.add('completions', { seq: 1, handler: 'pay', outcome: 'completed' })],
      [
        'ended in two ways',
        (record) => record.add('deadLetters', { seq: 1, handler: 'pay', reason: 'exhausted', errors: '' }),
      ],
    ])('a delivery that %s', (_, doctor) => {
      const record = clean();
      doctor(record);
      expect(record.findings(PAY, MAIL)).toEqual([['doubleEffects', 't1-1', 'pay']]);
    });

    it('a delivery that is done and live all the same', () => {
      const record = clean();
      record.add('live', { seq: 1, handler: 'pay', state: '{}' });
      expect(record.findings(PAY, MAIL)).toEqual([
        ['doubleEffects', 't1-1', 'pay'],
        ['stuck', 't1-1', 'pay'],
      ]);
    });
  });

  describe('stuck', () => {
    it('a delivery that is still live, and an event that was never fanned out', () => {
      const record = clean();
      record.commit('t2', [paid('t2-1')]);
      record.deliver('t2-1', 'pay', 20, { effect: true });
      record.add('live', { seq: 3, handler: 'mail', state: '{}' });
      expect(record.findings(PAY, MAIL)).toEqual([['stuck', 't2-1', 'mail']]);

      const raw = new Ledger();
      raw.commit('t1', [paid('t1-1')]);
      raw.tables = { ...raw.tables, inbox: raw.tables.inbox.map((row) => ({ ...row, raw: true })) };
      expect(raw.findings()).toEqual([['stuck', 't1-1']]);
    });
  });
});
