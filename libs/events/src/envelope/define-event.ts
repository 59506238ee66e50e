import type { StandardSchemaV1 } from '@standard-schema/spec';
import { namesOf, OptionReader } from '../option-reader.js';
import type { EventDefinition, Upcaster } from './event-definition.js';
import { eventTypeProblem } from './event-type-name.js';
import type { JsonCompatible } from './json.types.js';

/** What `defineEvent` takes. */
export interface DefineEventOptions<P> {
  /** Segments between dots, e.g. `payment.processed`. At most 255 characters; not under `events.`, no wildcards. */
  type: string;
  /** Version of the payload's shape, an integer from 1 up. Default 1. */
  version?: number;
  /** Any Standard Schema (zod, valibot, arktype ...). Checked when publishing and again before a handler runs. */
  schema?: StandardSchemaV1<unknown, P>;
  /** The event's ordering key, unless the publish names one. */
  orderingKey?: (payload: P) => string | undefined;
  /**
   * Events with the same key are the same work: a handler runs for one of them only, unless its own options say
   * otherwise. Undefined or empty: this event has none.
   */
  idempotencyKey?: (payload: P) => string | undefined;
  /** What handlers with a rate limit limit on its own, unless their options name a key. Undefined or empty: no limit. */
  rateLimitKey?: (payload: P) => string | undefined;
  /**
   * How stored events of older versions are lifted, one step each before the schema runs: 1 makes version 2 of version 1.
   * What an upcaster gets is frozen; it answers a new payload, at once or in a while.
   */
  upcasters?: Record<number, Upcaster>;
}

/** Makes the compiler say what is wrong where the payload type is no JSON. */
export type JsonOnly<P> = [P] extends [JsonCompatible<P>]
  ? unknown
  : { type: 'the payload type must be JSON: no Date, Map, Set, bigint, function, or class with methods' };

const LARGEST_VERSION = 2 ** 31 - 1;
const NAMES = namesOf<DefineEventOptions<unknown>>({
  type: true,
  version: true,
  schema: true,
  orderingKey: true,
  idempotencyKey: true,
  rateLimitKey: true,
  upcasters: true,
});

/**
 * Defines an event once, for `publish` and `@OnEvent`: both are then type-safe. `P` is the payload, given or taken from
 * the schema's output; it must survive JSON, so a Date, Map, bigint ... in it does not compile.
 *
 * ```ts
 * export const PaymentProcessed = defineEvent<{ paymentId: string; amount: number }>({ type: 'payment.processed' });
 * ```
 * @throws InvalidOptionError
 */
export function defineEvent<P>(options: DefineEventOptions<P> & JsonOnly<P>): EventDefinition<P> {
  const anonymous = new OptionReader('defineEvent()');
  anonymous.names('', options, NAMES);
  const { type, schema } = options;
  const problem = eventTypeProblem(type);
  if (problem !== undefined) throw anonymous.invalid('type', type, `an event type (it ${problem})`);
  const reader = new OptionReader(`defineEvent() of ${type}`);
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    throw reader.invalid('schema', schema, 'a Standard Schema');
  }
  const version = reader.count('version', options.version, 1, LARGEST_VERSION) ?? 1;
  const orderingKey = reader.callback('orderingKey', options.orderingKey);
  const idempotencyKey = reader.callback('idempotencyKey', options.idempotencyKey);
  const rateLimitKey = reader.callback('rateLimitKey', options.rateLimitKey);
  const upcasters = readUpcasters(reader, options.upcasters, version);
  return Object.freeze({
    type,
    version,
    ...(schema && { schema }),
    ...(orderingKey && { orderingKey }),
    ...(idempotencyKey && { idempotencyKey }),
    ...(rateLimitKey && { rateLimitKey }),
    ...(upcasters && { upcasters }),
  });
}

function readUpcasters(
  reader: OptionReader,
  upcasters: Record<number, Upcaster> | undefined,
  version: number,
): Readonly<Record<number, Upcaster>> | undefined {
  if (upcasters === undefined) return undefined;
  const isRecord = typeof upcasters === 'object' && upcasters !== null && !Array.isArray(upcasters);
  if (!isRecord) throw reader.invalid('upcasters', upcasters, 'an object');
  for (const [from, upcast] of Object.entries(upcasters)) {
    if (!/^[1-9]\d*$/.test(from) || Number(from) >= version) {
      const known = version === 1 ? 'there is no older version' : `the older versions are 1 to ${version - 1}`;
      throw reader.invalid(`upcasters.${from}`, upcast, `left out: ${known}`);
    }
    if (typeof upcast !== 'function') throw reader.invalid(`upcasters.${from}`, upcast, 'a function');
  }
  return Object.freeze({ ...upcasters });
}
