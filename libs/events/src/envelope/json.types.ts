/** What JSON can carry without loss. */
export type JsonPrimitive = string | number | boolean | null;
export type JsonValue = JsonPrimitive | { readonly [key: string]: JsonValue | undefined } | readonly JsonValue[];

/**
 * `T` where every part of it survives a round trip through JSON, `never` in the places that would not:
 * Date, Map, Set, bigint, symbol and functions become compile errors where a payload type is named.
 */
export type JsonCompatible<T> = unknown extends T
  ? T
  : T extends JsonValue | undefined
    ? T
    : T extends bigint | symbol | Date | RegExp | Map<unknown, unknown> | Set<unknown> | ((...args: never[]) => unknown)
      ? never
      : T extends object
        ? { [K in keyof T]: JsonCompatible<T[K]> }
        : never;

/** A payload as handlers see it: frozen all the way down. Dates, which only dead letters have, are as they are. */
export type DeepReadonly<T> = T extends JsonPrimitive | undefined | Date
  ? T
  : T extends readonly (infer Item)[]
    ? number extends T['length']
      ? DeepReadonlyArray<Item>
      : { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T extends object
      ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
      : T;

/** An interface, since the compiler looks into one only when it must: `DeepReadonly<JsonValue>` would never end else. */
export interface DeepReadonlyArray<Item> extends ReadonlyArray<DeepReadonly<Item>> {}
