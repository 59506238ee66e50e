import { describe, expect, it } from 'vitest';
import { isRefusedData } from './refused-data.js';

const answer = (marks: object) => Object.assign(new Error('why'), marks);

describe('isRefusedData', () => {
  it.each([
    ['a number out of range on PostgreSQL', { severity: 'ERROR', code: '22003' }],
    ['a constraint on PostgreSQL', { severity: 'ERROR', code: '23514' }],
    ['too long a value on MySQL', { code: 'ER_DATA_TOO_LONG', sqlState: '22001' }],
    ['a constraint on SQLite', { code: 'SQLITE_CONSTRAINT_CHECK' }],
    ['too large a value on SQLite', { code: 'SQLITE_TOOBIG' }],
  ])('yes: %s', (_, marks) => {
    expect(isRefusedData(answer(marks))).toBe(true);
  });

  it.each([
    ['a table that is missing', { severity: 'ERROR', code: '42P01' }],
    ['a full disk', { severity: 'ERROR', code: '53100' }],
    ['a database that only reads', { severity: 'ERROR', code: '25006' }],
    ['a full disk on SQLite', { code: 'SQLITE_FULL' }],
    ['a locked file', { code: 'SQLITE_BUSY' }],
    ['a lost connection', { code: 'ECONNRESET' }],
    ['a duplicate name on MySQL, by its own code only', { code: '22xxx', sqlState: '42S01' }],
    ['no marks at all', {}],
  ])('no: %s', (_, marks) => {
    expect(isRefusedData(answer(marks))).toBe(false);
  });
});
