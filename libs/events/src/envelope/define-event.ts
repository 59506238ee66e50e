import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { nearestName } from '../nearest-name.js';
import type { EventDefinition } from './event-definition.js';
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
}

/** Makes the compiler say what is wrong where the payload type is no JSON. */
export type JsonOnly<P> = [P] extends [JsonCompatible<P>]
  ? unknown
  : { type: 'the payload type must be JSON: no Date, Map, Set, bigint, function, or class with methods' };

const PLACE = 'defineEvent()';
const LARGEST_VERSION = 2 ** 31 - 1;
const NAMES = Object.keys({
  type: true,
  version: true,
  schema: true,
  orderingKey: true,
} satisfies Record<keyof DefineEventOptions<unknown>, true>);

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
  for (const name of Object.keys(options)) {
    if (NAMES.includes(name)) continue;
    const nearest = nearestName(name, NAMES);
    const hint = nearest ? `did you mean "${nearest}"?` : `there are ${NAMES.join(', ')}`;
    throw new InvalidOptionError(
      PLACE,
      name,
      options[name as keyof typeof options],
      `left out: it is unknown (${hint})`,
    );
  }
  const { type, version = 1, schema, orderingKey } = options;
  const problem = eventTypeProblem(type);
  if (problem !== undefined) throw new InvalidOptionError(PLACE, 'type', type, `an event type (it ${problem})`);
  const place = `defineEvent() of ${type}`;
  if (!Number.isInteger(version) || version < 1 || version > LARGEST_VERSION) {
    throw new InvalidOptionError(place, 'version', version, 'a whole number from 1 up');
  }
  if (schema !== undefined && typeof schema?.['~standard']?.validate !== 'function') {
    throw new InvalidOptionError(place, 'schema', schema, 'a Standard Schema');
  }
  if (orderingKey !== undefined && typeof orderingKey !== 'function') {
    throw new InvalidOptionError(place, 'orderingKey', orderingKey, 'a function');
  }
  return Object.freeze({ type, version, ...(schema && { schema }), ...(orderingKey && { orderingKey }) });
}
