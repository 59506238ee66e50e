import { InvalidOptionError } from '../errors/invalid-option.error.js';
import type { DialectType } from './dialect-type.js';

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Tables by their names in the design, without prefix. */
export const TABLE_NAMES = [
  'inbox',
  'delivery',
  'completion',
  'dead_letter',
  'handler',
  'subscription',
  'registry',
  'node',
  'idempotency',
  'rate_limit',
  'lock',
  'migration',
] as const;

export type TableName = (typeof TABLE_NAMES)[number];

/** Quoted, qualified names of the tables, ready for SQL. */
export type Tables = Readonly<Record<TableName, string>>;

/**
 * The names of the tables with this prefix, in this schema.
 * @throws InvalidOptionError when a name could not be an identifier in every dialect.
 */
export function tables(type: DialectType, tablePrefix: string, schema?: string): Tables {
  checkIdentifier('tablePrefix', tablePrefix);
  const quoted = type === 'mysql' ? backquote : quote;
  const qualifier = schema === undefined ? '' : `${quoted(schema)}.`;
  return Object.fromEntries(TABLE_NAMES.map((name) => [name, qualifier + quoted(tablePrefix + name)])) as Tables;
}

export function checkIdentifier(option: string, value: string): void {
  if (!IDENTIFIER.test(value)) {
    throw new InvalidOptionError(
      'EventsModule',
      option,
      value,
      'letters, digits and underscores, not starting with a digit',
    );
  }
}

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

/** MySQL's own, which means the same with and without ANSI_QUOTES. */
function backquote(identifier: string): string {
  return `\`${identifier.replaceAll('`', '``')}\``;
}
