import { describe, expect, it } from 'vitest';
import { UnsupportedDatabaseError } from '../../errors/unsupported-database.error.js';
import { checkServerVersion } from './server-version.js';

describe('checkServerVersion', () => {
  it.each([
    '10.6.1-MariaDB',
    '10.11.19-MariaDB-0+deb12u1',
    '5.5.5-10.6.4-MariaDB-log',
    '11.4.2-MariaDB',
    '8.0.11',
    '9.1.0',
  ])('takes %s', (version) => expect(() => checkServerVersion(version, 'MariaDB db:3306/shop')).not.toThrow());

  it.each(['10.5.27-MariaDB', '5.5.5-10.5.4-MariaDB-log', '5.7.44-log', '5.6.51', ''])('refuses %s', (version) => {
    expect(() => checkServerVersion(version, 'MySQL db:3306/shop')).toThrow(UnsupportedDatabaseError);
  });

  it('names the version and what is needed', () => {
    expect(() => checkServerVersion('5.7.44-log', 'MySQL db:3306/shop')).toThrow(
      'events cannot be kept in MySQL db:3306/shop (version 5.7.44-log): claims need SKIP LOCKED: MariaDB 10.6 or later, or MySQL 8',
    );
  });
});
