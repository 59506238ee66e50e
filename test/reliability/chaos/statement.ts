import type { DataSourceOptions } from 'typeorm';

/** A statement with `?` for its parameters, as the database wants it. */
export function bound(type: DataSourceOptions['type'], sql: string): string {
  let index = 0;
  return type === 'postgres' ? sql.replaceAll('?', () => `$${++index}`) : sql;
}
