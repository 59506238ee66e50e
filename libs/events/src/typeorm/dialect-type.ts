/** TypeORM's types of the databases that there is a store for. */
export type SupportedDatabase = 'better-sqlite3' | 'postgres' | 'mysql' | 'mariadb';

/** Databases that speak one SQL. */
export type DialectType = Exclude<SupportedDatabase, 'mariadb'>;

export function dialectOf(type: SupportedDatabase): DialectType {
  return type === 'mariadb' ? 'mysql' : type;
}
