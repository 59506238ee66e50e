import { UnsupportedDatabaseError } from '../../errors/unsupported-database.error.js';

/**
 * Claims need SKIP LOCKED.
 * @param version as the server tells it, such as `10.11.6-MariaDB-log`, `8.0.36` or `5.5.5-10.6.1-MariaDB`.
 * @throws UnsupportedDatabaseError when the server is too old.
 */
export function checkServerVersion(version: string, database: string): void {
  const isMariadb = /mariadb/i.test(version);
  const [, major, minor] = (/(\d+)\.(\d+)\.\d+(?=-mariadb)/i.exec(version) ?? /(\d+)\.(\d+)/.exec(version) ?? []).map(
    Number,
  );
  const [leastMajor, leastMinor] = isMariadb ? [10, 6] : [8, 0];
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  throw new UnsupportedDatabaseError(
    `${database} (version ${version})`,
    'claims need SKIP LOCKED: MariaDB 10.6 or later, or MySQL 8',
  );
}
