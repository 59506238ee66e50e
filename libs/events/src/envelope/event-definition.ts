import type { StandardSchemaV1 } from '@standard-schema/spec';

/** An event type with everything that is known of it; made by `defineEvent`. */
export interface EventDefinition<P = unknown> {
  readonly type: string;
  /** Version of the payload's shape that `publish` writes, from 1 up. */
  readonly version: number;
  /** Any Standard Schema (zod, valibot, arktype ...). Checked when publishing and again before a handler runs. */
  readonly schema?: StandardSchemaV1<unknown, P>;
  /** The event's ordering key, unless the publish names one. */
  orderingKey?(payload: P): string | undefined;
  /** Carries `P`; never set. */
  readonly __payload?: P;
}
