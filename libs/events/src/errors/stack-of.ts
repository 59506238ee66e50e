import { inspect } from 'node:util';

/** What a log shows of something that was thrown. Never throws: not at an error that cannot be read either. */
export function stackOf(error: unknown): string {
  try {
    return error instanceof Error && error.stack ? error.stack : inspect(error, { depth: 2 });
  } catch {
    return 'an error that cannot be read';
  }
}
