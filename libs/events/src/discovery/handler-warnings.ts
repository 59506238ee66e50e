/** Where Nest keeps its enhancers, on a method or a class. */
const ENHANCERS = {
  __guards__: 'guards',
  __interceptors__: 'interceptors',
  __pipes__: 'pipes',
  __exceptionFilters__: 'exception filters',
} as const;

/** Where `@OnEvent` of `@nestjs/event-emitter` keeps what it listens to, on the method. */
const EVENT_EMITTER_LISTENER = 'EVENT_LISTENER_METADATA';

/** Says that Nest's enhancers on a handler (or on its class) do not run for events. */
export function enhancerWarning(source: string, places: readonly object[]): string | undefined {
  const found = Object.entries(ENHANCERS)
    .filter(([key]) => places.some((place) => Reflect.hasMetadata(key, place)))
    .map(([, name]) => name);
  if (found.length === 0) return undefined;
  return `${source} has ${found.join(', ')}: they do not run when it handles an event`;
}

/** Says that a method is decorated with the `@OnEvent` of another package. */
export function eventEmitterWarning(source: string, method: object): string | undefined {
  if (!Reflect.hasMetadata(EVENT_EMITTER_LISTENER, method)) return undefined;
  return (
    `${source} is decorated with @OnEvent of @nestjs/event-emitter: durable events do not reach it; ` +
    'import OnEvent from nestjs-durable-events if it should handle them'
  );
}

/** Says that a decorated method is hidden by one without a decorator. */
export function overriddenWarning(source: string, hidden: string, decorator: string): string {
  return `${source} overrides ${hidden}, which is decorated with @${decorator}, but has no decorator of its own: it handles no events`;
}
