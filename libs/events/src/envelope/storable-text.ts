import { inspect } from 'node:util';

/** Names, ids and keys have at most this many characters, on every database. */
export const LONGEST_NAME = 255;

/** NUL, or half of a surrogate pair: no database stores these in a text. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;

/** False for a text with NUL or half of a surrogate pair: no database stores it. */
export function isStorable(text: string): boolean {
  return !UNSTORABLE.test(text);
}

/** What keeps a text from being a name, an id or a key, for a message about it; or undefined. */
export function nameProblem(text: string): string | undefined {
  if (text.length > LONGEST_NAME) return `may have ${LONGEST_NAME} characters, but has ${text.length}`;
  if (!isStorable(text)) return `has a NUL character or half of a surrogate pair: ${inspect(text)}`;
  return undefined;
}
