import type { Dialect } from '../dialect.js';

const MESSAGE = 'the node that ran it is gone';

/**
 * The start of an update that ends leases of a dead node: pending again, the crash charged, a failure appended. Its
 * parameters are those of `leaseFailure`; it goes on with a `where`.
 */
export function endLeases(d: Dialect): string {
  return `update ${d.tables.delivery}
    set lease_node = null, crashes = crashes + 1, errors = coalesce(errors || '\n', '')
      || cast(? as text) || (attempts + crashes + 1) || cast(? as text)`;
}

/** The failure as JSON, in two halves round the attempt's number, which only the row knows. */
export function leaseFailure(label: string, now: number): [string, string] {
  return [
    `{"at":${now},"attempt":`,
    `,${JSON.stringify({ name: 'node-lost', message: MESSAGE, node: label }).slice(1)}`,
  ];
}
