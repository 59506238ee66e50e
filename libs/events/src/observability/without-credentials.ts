/** User and password of a URL. */
const CREDENTIALS = /(\w:\/\/)[^\s/]+@/g;

/** The text without what opens a database: a driver's or a handler's error may quote a connection URL. */
export function withoutCredentials(text: string): string {
  return text.replace(CREDENTIALS, '$1***@');
}
