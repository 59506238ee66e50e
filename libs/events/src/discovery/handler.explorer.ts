import { Inject, Injectable } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { DuplicateHandlerError } from '../errors/duplicate-handler.error.js';
import { InvalidHandlerError } from '../errors/invalid-handler.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { deadLetterHandler } from './dead-letter-handler.js';
import type { HandlerDefinition } from './handler-definition.js';
import { toHandlerHost, type HandlerHost } from './handler-host.js';
import { type DecoratedMethod, HandlerMetadataAccessor } from './handler-metadata.accessor.js';
import { checkAliases, handlerName } from './handler-names.js';
import { checkHandlerDefaults, resolveHandlerOptions } from './handler-options.js';
import { readSubscription } from './handler-subscription.js';
import { enhancerWarning, eventEmitterWarning, overriddenWarning } from './handler-warnings.js';
import type { HandlerDefaults, OnEventOptions } from './on-event.options.js';

/** What was found in the application. */
export interface Exploration {
  readonly definitions: readonly HandlerDefinition[];
  /** What works, but hardly as meant; to be logged. */
  readonly warnings: readonly string[];
}

type Method = (...args: unknown[]) => unknown;

/** Finds the handlers of the application. To be called when all instances exist, so not before `onModuleInit`. */
@Injectable()
export class HandlerExplorer {
  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: Pick<ResolvedEventsOptions, 'defaults'>,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly accessor: HandlerMetadataAccessor,
  ) {}

  /** @throws InvalidHandlerError, InvalidOptionError, DuplicateHandlerError for the first handler that cannot be one. */
  explore(): Exploration {
    const { defaults } = this.options;
    // Checked here too, so that a mistake in them is found in an application without handlers.
    checkHandlerDefaults(defaults);
    const definitions: HandlerDefinition[] = [];
    const warnings = new Set<string>();
    const places = new Map<string, string>();
    for (const { host, controller } of this.hosts()) {
      this.refuseStatic(host);
      const { methods, overridden } = this.accessor.read(host.prototype);
      for (const method of methods) {
        const handler = toHandler(host, method, defaults);
        const place = `${handler.source} in ${host.moduleName}`;
        const other = places.get(handler.name);
        if (other !== undefined) throw new DuplicateHandlerError(handler.name, [other, place]);
        places.set(handler.name, place);
        definitions.push(handler);
      }
      for (const warning of this.warnings(host, controller, methods, overridden)) warnings.add(warning);
    }
    checkAliases(definitions, places);
    return { definitions, warnings: [...warnings] };
  }

  /** Each instance once, whatever tokens it has; aliases are other names of what is found anyway. */
  private *hosts(): Iterable<{ host: HandlerHost; controller: boolean }> {
    const seen = new Set<object>();
    const providers = this.discovery.getProviders().map((wrapper) => ({ wrapper, controller: false }));
    const controllers = this.discovery.getControllers().map((wrapper) => ({ wrapper, controller: true }));
    for (const { wrapper, controller } of [...providers, ...controllers]) {
      const host = wrapper.isAlias ? undefined : toHandlerHost(wrapper);
      if (!host) continue;
      const identity = 'shared' in host.instance ? host.instance.shared : wrapper;
      if (seen.has(identity)) continue;
      seen.add(identity);
      yield { host, controller };
    }
  }

  private refuseStatic({ prototype }: HandlerHost): void {
    for (const { owner, key } of this.accessor.read(prototype.constructor).methods) {
      const source = `${(owner as { name?: string }).name ?? ''}.${String(key)}`;
      throw new InvalidHandlerError(source, 'it is static, and only methods of instances can be handlers');
    }
  }

  private *warnings(
    { prototype, className }: HandlerHost,
    controller: boolean,
    methods: readonly DecoratedMethod[],
    overridden: readonly DecoratedMethod[],
  ): Iterable<string> {
    for (const { owner, key, decorations } of overridden) {
      const hidden = `${owner.constructor.name}.${String(key)}`;
      yield overriddenWarning(`${className}.${String(key)}`, hidden, decorations[0].decorator);
    }
    for (const { key } of methods) {
      // The enhancers of a controller's class are there for its routes.
      const places = controller ? [methodOf(prototype, key)] : [methodOf(prototype, key), prototype.constructor];
      const warning = enhancerWarning(`${className}.${String(key)}`, places);
      if (warning !== undefined) yield warning;
    }
    for (const name of this.scanner.getAllMethodNames(prototype)) {
      const warning = eventEmitterWarning(`${className}.${name}`, methodOf(prototype, name));
      if (warning !== undefined) yield warning;
    }
  }
}

function toHandler(
  host: HandlerHost,
  { owner, key, decorations }: DecoratedMethod,
  defaults: HandlerDefaults,
): HandlerDefinition {
  const source = `${host.className}.${String(key)}`;
  if (typeof key === 'symbol') {
    throw new InvalidHandlerError(source, 'it is named by a symbol, but a handler needs a name that lasts');
  }
  if (typeof Object.getOwnPropertyDescriptor(owner, key)?.value !== 'function') {
    throw new InvalidHandlerError(source, 'it is no method');
  }
  const given = decorations.filter(({ options }) => options !== undefined);
  if (given.length > 1) {
    throw new InvalidHandlerError(source, 'its decorators make one handler, so only one of them can have options');
  }
  const { decorator } = decorations[0];
  if (decorations.some((other) => other.decorator !== decorator)) {
    throw new InvalidHandlerError(
      source,
      'it has @OnDeadLetter too, and one method is the handler of one or the other',
    );
  }
  const place = `@${decorator} on ${source}`;
  const written = given[0]?.options as OnEventOptions | undefined;
  const subscription = readSubscription(source, decorations);
  const definitions = decorator === 'OnEvent' ? subscription.definitions.values() : [];
  const handler = {
    name: handlerName(place, host.className, key, written?.name),
    source,
    ...subscription,
    options: resolveHandlerOptions(place, written, defaults, definitions),
    call: toCall(host, key),
  };
  return decorator === 'OnEvent' ? handler : deadLetterHandler(handler);
}

/** The method is looked up at each call, so that one replaced later (a spy, a wrapper) is the one that runs. */
function toCall({ instance }: HandlerHost, key: string): HandlerDefinition['call'] {
  if ('shared' in instance) {
    const shared = instance.shared as Record<string, Method>;
    return (event, context) => shared[key](event, context);
  }
  return async (event, context, invocation) => {
    const resolved = (await instance.resolve(invocation)) as Record<string, Method>;
    return resolved[key](event, context);
  };
}

function methodOf(prototype: object, key: string | symbol): object {
  return (prototype as Record<string | symbol, object>)[key];
}
