import type { StandardSchemaV1 } from '@standard-schema/spec';

/**
 * Makes a payload of one version what the next version says, at once or in a while; what it gets is frozen. The parameter
 * may be annotated with the older version's type.
 */
export type Upcaster = { upcast(payload: unknown): unknown }['upcast'];

/** An event type with everything that is known of it; made by `defineEvent`. */
export interface EventDefinition<P = unknown> {
  readonly type: string;
  /** Version of the payload's shape that `publish` writes, from 1 up. */
  readonly version: number;
  /** Any Standard Schema (zod, valibot, arktype ...). Checked when publishing and again before a handler runs. */
  readonly schema?: StandardSchemaV1<unknown, P>;
  /** The event's ordering key, unless the publish names one. */
  orderingKey?(this: void, payload: P): string | undefined;
  /** The key under which handlers run the event once, unless they have their own. */
  idempotencyKey?(this: void, payload: P): string | undefined;
  /** What handlers with a rate limit limit on its own, unless they have their own key. */
  rateLimitKey?(this: void, payload: P): string | undefined;
  /** By the version that each one takes: 1 makes version 2 of version 1. */
  readonly upcasters?: Readonly<Record<number, Upcaster>>;
  /** Carries `P`; never set. */
  readonly __payload?: P;
}
