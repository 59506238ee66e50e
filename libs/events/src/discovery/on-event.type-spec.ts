/**
 * What must compile and what must not, by definition, by merged `EventTypes` and by plain string. Nothing here runs:
 * `tsc --noEmit` is the test, and a `@ts-expect-error` above a line without an error fails it.
 */
import { z } from 'zod';
import { defineEvent } from '../envelope/define-event.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import { EventMessage } from '../envelope/event-message.js';
import type { EventInput, PayloadOf, PublishPayload } from '../envelope/event-payload.js';
import type { DeepReadonly, JsonValue } from '../envelope/json.types.js';
import type { DeadLetter } from '../dead-letter/dead-letter.js';
import { DeliveryContext } from '../invoke/delivery-context.js';
import { OnDeadLetter } from './on-dead-letter.decorator.js';
import type { OnEventOptions } from './on-event.options.js';
import { OnEvent } from './on-event.decorator.js';

interface Shipped {
  parcel: string;
  weights?: number[];
}

interface Returned {
  reason: string | null;
}

interface Tree {
  name: string;
  children: Tree[];
}

enum Colour {
  Red = 'red',
}

declare module '../envelope/event-types.js' {
  interface EventTypes {
    'type-spec.shipped': Shipped;
  }
}

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type True<T extends true> = T;

const ShippedEvent = defineEvent<Shipped>({ type: 'parcel.shipped', orderingKey: ({ parcel }) => parcel });
const ReturnedEvent = defineEvent<Returned>({ type: 'parcel.returned', version: 2 });
const WeighedEvent = defineEvent({
  type: 'parcel.weighed',
  schema: z.object({ parcel: z.string(), grams: z.number().default(0), tags: z.array(z.string()).optional() }),
  orderingKey: (payload) => payload.parcel.toUpperCase(),
});

export class Compiles {
  @OnEvent(ShippedEvent)
  byDefinition(event: EventMessage<Shipped>, context: DeliveryContext): string {
    return `${event.payload.parcel} ${context.attempt}`;
  }

  @OnEvent('type-spec.shipped', { priority: 10, retry: false })
  async byMergedType(event: EventMessage<Shipped>): Promise<void> {
    await Promise.resolve(event.payload.weights);
  }

  @OnEvent(WeighedEvent)
  bySchema(event: EventMessage<{ parcel: string; grams: number }>): number {
    return event.payload.grams;
  }

  @OnEvent(ShippedEvent)
  @OnEvent('whatever.*')
  anyJson(event: EventMessage<JsonValue>): unknown {
    return event.payload;
  }

  @OnEvent('whatever.**')
  byPattern(event: EventMessage<Returned>): unknown {
    return event.payload.reason;
  }

  @OnEvent([ShippedEvent, 'type-spec.shipped'])
  @OnEvent(ReturnedEvent)
  either(event: EventMessage<Shipped> | EventMessage<Returned>): string {
    return event.id;
  }

  @OnEvent([ShippedEvent, ReturnedEvent])
  union(event: EventMessage<Shipped | Returned>): string {
    return event.type;
  }

  @OnEvent(ShippedEvent)
  narrower(event: EventMessage<{ parcel: string }>): string {
    return event.payload.parcel;
  }

  @OnEvent(ShippedEvent)
  anything(event: EventMessage): unknown {
    return event.payload;
  }

  @OnEvent(ShippedEvent)
  nothing(): void {}
}

const common: OnEventOptions = { aliases: ['old'], idempotency: { key: ({ id }) => id } };

export class KeysCompile {
  @OnEvent(ShippedEvent, { rateLimit: { limit: 1, period: '1s', key: ({ payload }) => payload.parcel } })
  byDefinition(): void {}

  @OnEvent('type-spec.shipped', { idempotency: { key: ({ payload }) => payload.parcel, ttl: '1d' } })
  byMergedType(): void {}

  @OnEvent([ShippedEvent, ReturnedEvent], {
    idempotency: { key: ({ payload }) => ('parcel' in payload ? payload.parcel : (payload.reason ?? undefined)) },
  })
  byOneOfTwo(): void {}

  @OnEvent('whatever.*', { idempotency: { key: (event: EventMessage<Returned>) => event.payload.reason ?? event.id } })
  byPattern(): void {}

  @OnEvent(ShippedEvent, common)
  common(): void {}

  @OnDeadLetter()
  all(event: EventMessage<DeadLetter>, context: DeliveryContext): string {
    const { diedAt, event: dead, failures } = event.payload;
    return `${diedAt.toISOString()} ${dead.occurredAt.getTime()} ${failures[0].at.getTime()} ${context.attempt}`;
  }

  @OnDeadLetter(ShippedEvent, { name: 'lost-parcels', retry: false })
  @OnDeadLetter('type-spec.*')
  some({ payload }: EventMessage<DeadLetter>): Date {
    return payload.diedAt;
  }

  @OnDeadLetter(undefined, { idempotency: { key: ({ payload }) => payload.event.id } })
  byKey(): void {}
}

export class KeysDoNotCompile {
  // @ts-expect-error the definition's payload has no such property
  @OnEvent(ShippedEvent, { idempotency: { key: ({ payload }) => payload.reason } })
  byDefinition(): void {}

  // @ts-expect-error nobody has said what its payload is
  @OnEvent('whatever.happened', { idempotency: { key: ({ payload }) => payload.reason } })
  byString(): void {}

  // @ts-expect-error a key is a text
  @OnEvent(ShippedEvent, { rateLimit: { limit: 1, period: '1s', key: ({ payload }) => payload.weights } })
  noText(): void {}

  // @ts-expect-error gets the dead letter, not the event that died
  @OnDeadLetter(ShippedEvent)
  shipped(event: EventMessage<Shipped>): unknown {
    return event;
  }
}

export class DoesNotCompile {
  // @ts-expect-error the definition's payload is another
  @OnEvent(ShippedEvent)
  byDefinition(event: EventMessage<Returned>): unknown {
    return event.payload;
  }

  // @ts-expect-error EventTypes knows another payload
  @OnEvent('type-spec.shipped')
  byMergedType(event: EventMessage<Returned>): unknown {
    return event.payload;
  }

  // @ts-expect-error the schema's output is another
  @OnEvent(WeighedEvent)
  bySchema(event: EventMessage<{ grams: string }>): unknown {
    return event.payload;
  }

  // @ts-expect-error takes only one of the two
  @OnEvent([ShippedEvent, ReturnedEvent])
  oneOfTwo(event: EventMessage<Shipped>): unknown {
    return event.payload;
  }

  // @ts-expect-error the lower one of stacked decorators does not fit
  @OnEvent(ReturnedEvent)
  @OnEvent(ShippedEvent)
  stacked(event: EventMessage<Shipped>): unknown {
    return event.payload;
  }

  // @ts-expect-error gets the event, not its payload
  @OnEvent('whatever.happened')
  payloadOnly(payload: Shipped): unknown {
    return payload;
  }

  // @ts-expect-error the second parameter is the context
  @OnEvent(ShippedEvent)
  wrongContext(event: EventMessage<Shipped>, context: AbortSignal): unknown {
    return [event, context];
  }

  // @ts-expect-error nobody gives a third
  @OnEvent(ShippedEvent)
  threeParameters(event: EventMessage<Shipped>, context: DeliveryContext, more: string): unknown {
    return [event, context, more];
  }

  @OnEvent(ShippedEvent)
  payloadIsReadonly({ payload }: EventMessage<Shipped>): void {
    // @ts-expect-error shared by all handlers of the event
    payload.parcel = 'another';
    // @ts-expect-error and so are its lists
    payload.weights?.push(1);
  }

  // @ts-expect-error no method
  @OnEvent(ShippedEvent)
  field = 1;

  // @ts-expect-error 3 is no event
  @OnEvent(3)
  noEvent(): void {}

  // @ts-expect-error misspelt option
  @OnEvent(ShippedEvent, { concurency: 3 })
  misspelt(): void {}
}

// What a payload may be.
defineEvent<{ a: string; b?: (number | null)[]; c: unknown }>({ type: 'json' });
defineEvent<Tree>({ type: 'recursive' });
defineEvent<JsonValue>({ type: 'any-json' });
defineEvent<Colour | readonly [string, number?]>({ type: 'enum-and-tuple' });
// @ts-expect-error a Date comes back as a text
defineEvent<{ at: Date }>({ type: 'date' });
// @ts-expect-error so it does inside a list
defineEvent<{ days: { at: Date }[] }>({ type: 'dates' });
// @ts-expect-error a Map comes back empty
defineEvent<{ map?: Map<string, string> }>({ type: 'map' });
// @ts-expect-error JSON has no bigint
defineEvent<bigint>({ type: 'bigint' });
// @ts-expect-error methods do not survive
defineEvent<{ format(): string }>({ type: 'method' });
// @ts-expect-error the schema's output counts
defineEvent({ type: 'schema', schema: z.object({ at: z.date() }) });
// @ts-expect-error the schema says otherwise
defineEvent<{ a: number }>({ type: 'schema', schema: z.object({ a: z.string() }) });

// What older versions may be made from.
defineEvent<Shipped>({
  type: 'upcasters',
  version: 3,
  upcasters: { 1: (parcel: string) => ({ parcel }), 2: async (old: { parcel: string }) => Promise.resolve(old) },
  idempotencyKey: ({ parcel }) => parcel,
  rateLimitKey: ({ weights }) => weights?.join(),
});
// @ts-expect-error what an unannotated upcaster gets is not known
defineEvent<Shipped>({ type: 'unknown', version: 2, upcasters: { 1: (old) => old.parcel } });
// @ts-expect-error the payload has no such property
defineEvent<Shipped>({ type: 'no-key', idempotencyKey: ({ reason }) => reason });
// @ts-expect-error a version is a number
defineEvent<Shipped>({ type: 'no-version', version: 2, upcasters: { first: (old: string) => old } });

// What the publisher's types are made of.
export type Holds = [
  True<Same<PayloadOf<typeof ShippedEvent>, Shipped>>,
  True<Same<PayloadOf<typeof WeighedEvent>, { parcel: string; grams: number; tags?: string[] | undefined }>>,
  True<Same<PayloadOf<'type-spec.shipped'>, Shipped>>,
  True<Same<DeepReadonly<{ a: [string, { b: number }]; c: Tree[] }>['a'][1], { readonly b: number }>>,
  True<Same<DeepReadonly<Tree>['children'][number]['name'], string>>,
  True<Same<PayloadOf<'unheard.of'>, unknown>>,
];

declare function publish<E extends EventInput>(event: E, payload: PublishPayload<NoInfer<E>>): void;
declare const definitions: readonly EventDefinition[];

export function publishing(): void {
  publish(ShippedEvent, { parcel: 'p', weights: [1] });
  publish('type-spec.shipped', { parcel: 'p' });
  publish('unheard.of', { anything: ['goes'] });
  publish(definitions[0], 1);
  // @ts-expect-error wrong by definition
  publish(ShippedEvent, { parcel: 1 });
  // @ts-expect-error wrong by schema
  publish(WeighedEvent, { parcel: 'p', grams: '1' });
  // @ts-expect-error wrong by EventTypes
  publish('type-spec.shipped', { weights: [1] });
}
