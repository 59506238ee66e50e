import { describe, expect, it } from 'vitest';
import { PermanentError } from '../errors/permanent.error.js';
import { StoreUnavailableError } from '../errors/store-unavailable.error.js';
import { orUnavailable } from './unavailable.js';

const withMarks = (marks: object) => Object.assign(new Error('why'), marks);
const unavailable = expect.any(StoreUnavailableError) as unknown;

describe('an error is one of availability', () => {
  it.each([
    ['a refused connection', withMarks({ code: 'ECONNREFUSED' })],
    ['a connection that has ended', new Error('Connection terminated unexpectedly')],
    ['a server that is shutting down', withMarks({ severity: 'FATAL', code: '57P01' })],
    ['a server that is starting', withMarks({ severity: 'FATAL', code: '57P03' })],
    ['no connection left', withMarks({ severity: 'FATAL', code: '53300' })],
    ['a lock waited for in vain', withMarks({ severity: 'ERROR', code: '55P03' })],
  ])('when it is %s', (_, error) => {
    expect(orUnavailable(error)).toEqual(unavailable);
    expect(orUnavailable(error)).toMatchObject({ code: 'EVENTS_STORE_UNAVAILABLE', cause: error });
  });

  it.each([
    ['a constraint', withMarks({ severity: 'ERROR', code: '23505' })],
    ['a deadlock', withMarks({ severity: 'ERROR', code: '40P01' })],
    ['a wrong password', withMarks({ severity: 'FATAL', code: '28P01' })],
    ['an answer of MySQL', withMarks({ sqlState: '42000', code: 'ER_PARSE_ERROR' })],
    ['a file that is no database', withMarks({ code: 'SQLITE_NOTADB' })],
    ['one of our own', new PermanentError('no')],
    ['a mistake in the code', new TypeError('x is not a function')],
    ['no error at all', 'text'],
  ])('not when it is %s', (_, error) => {
    expect(orUnavailable(error)).toBe(error);
  });

  it('and says why, even when a host has several addresses', () => {
    const error = new AggregateError([withMarks({ message: 'connect ECONNREFUSED ::1' })]);
    expect(orUnavailable(error)).toMatchObject({ message: 'the database is not available: connect ECONNREFUSED ::1' });
    expect(orUnavailable(withMarks({ message: '', code: 'ECONNRESET' }))).toMatchObject({
      message: 'the database is not available: ECONNRESET',
    });
  });
});
