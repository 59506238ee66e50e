/** Duplicate column, duplicate index, nothing there to drop. */
const ALREADY_DONE = [1060, 1061, 1091];

/**
 * Whether a statement of a migration has failed because an earlier run of it had come so far: on MySQL that died half-way
 * is not undone.
 */
export function isAlreadyDone(error: unknown): boolean {
  return ALREADY_DONE.includes((error as { errno?: number }).errno ?? 0);
}
