import type { Dialect } from '../dialect.js';
import type { SqlValue } from '../verb.js';

type Value = string | number | null;

/** Rows that a portable statement is given: one array a column on PostgreSQL, one JSON text elsewhere. */
export interface GivenRows<C extends string> {
  /** For a `from`, as `g`. */
  readonly table: string;
  /** Puts them in the order given. The others read them so anyway. */
  readonly inOrder: string;
  /** What stands for `table` among the parameters. */
  params(rows: readonly Readonly<Record<C, Value>>[]): SqlValue[];
}

/** Names and keys. */
const MYSQL_TYPES = { text: 'varchar(255)', int: 'int', bigint: 'bigint', smallint: 'smallint' } as const;

/**
 * @param columns with their types on PostgreSQL. Texts and integers only: SQLite reads a fraction in JSON with the last
 *   digit off.
 */
export function givenRows<C extends string>(
  d: Dialect,
  columns: Readonly<Record<C, 'text' | 'int' | 'bigint' | 'smallint'>>,
): GivenRows<C> {
  const names = Object.keys(columns) as C[];
  if (d.type === 'postgres') {
    const arrays = names.map((name) => `?::${columns[name]}[]`);
    return {
      table: `unnest(${arrays.join(', ')}) with ordinality g (${names.join(', ')}, ord)`,
      inOrder: 'order by g.ord',
      params: (rows) => names.map((name) => rows.map((row) => row[name])),
    };
  }
  if (d.type === 'mysql') {
    const paths = names.map((name, index) => `\`${name}\` ${MYSQL_TYPES[columns[name]]} path '$[${index}]'`);
    return {
      table: `json_table(convert(? using utf8mb4), '$[*]' columns (${paths.join(', ')})) g`,
      inOrder: '',
      params: (rows) => [JSON.stringify(rows.map((row) => names.map((name) => row[name])))],
    };
  }
  const values = names.map((name, index) => `value ->> ${index} as ${name}`);
  return {
    table: `(select ${values.join(', ')} from json_each(?)) g`,
    inOrder: '',
    params: (rows) => [JSON.stringify(rows.map((row) => names.map((name) => row[name])))],
  };
}
