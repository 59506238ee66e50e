/** SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded. */
const SQL_STATES = /^(?:22|23|54)...$/;
const SQLITE_CODES = /^SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG)/;

/** The database has said that it does not take these values: the same statement with others may well succeed. */
export function isRefusedData(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, sqlState } = error as { code?: unknown; sqlState?: unknown };
  if (typeof sqlState === 'string') return SQL_STATES.test(sqlState);
  return typeof code === 'string' && (SQL_STATES.test(code) || SQLITE_CODES.test(code));
}
