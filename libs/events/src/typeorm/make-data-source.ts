import { DataSource, type DataSourceOptions, DriverPackageNotInstalledError } from 'typeorm';
import { MissingDriverError } from '../errors/missing-driver.error.js';

const PACKAGES: Readonly<Record<string, string>> = { postgres: 'pg', mysql: 'mysql2', mariadb: 'mysql2' };

/**
 * A DataSource, not yet initialized. Its driver is loaded here.
 * @throws MissingDriverError when the driver's package is not installed.
 */
export function makeDataSource(options: DataSourceOptions): DataSource {
  try {
    return new DataSource(options);
  } catch (error) {
    if (!(error instanceof DriverPackageNotInstalledError)) throw error;
    throw new MissingDriverError(PACKAGES[options.type] ?? options.type, { cause: error });
  }
}
