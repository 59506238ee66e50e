/** What names an idempotency key or a token bucket. */
export interface HandlerKey {
  readonly handler: string;
  readonly key: string;
}

/** As the key of a map. */
export function textOf({ handler, key }: HandlerKey): string {
  return JSON.stringify([handler, key]);
}

/** The order in which everybody locks such rows, so that nobody holds what another needs who holds what he needs. */
export function inLockOrder(a: HandlerKey, b: HandlerKey): number {
  return compare(a.handler, b.handler) || compare(a.key, b.key);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
