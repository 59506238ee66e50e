import { inspect } from 'node:util';
import { LONGEST_NAME, nameProblem } from '../envelope/storable-text.js';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { InvalidHandlerError } from '../errors/invalid-handler.error.js';
import type { HandlerDefinition } from './handler-definition.js';

/** What a name must be, for messages. */
export const HANDLER_NAME = `a text of 1 to ${LONGEST_NAME} characters without NUL`;
/** Classes made by Nest's `mixin()` are named at random, anew at each start. */
const MIXIN_NAME = /^[0-9a-f]{21}$/;

/**
 * The name under which a handler's deliveries are kept: the `name` option, else `Class.method`.
 * @throws InvalidOptionError, InvalidHandlerError
 */
export function handlerName(place: string, className: string, method: string, name: unknown): string {
  if (name !== undefined) {
    if (isHandlerName(name)) return name;
    throw new InvalidOptionError(place, 'name', name, HANDLER_NAME);
  }
  const source = `${className}.${method}`;
  if (className === '' || MIXIN_NAME.test(className)) {
    throw new InvalidHandlerError(source, 'its class has no lasting name, so the option "name" is needed');
  }
  if (!isHandlerName(source)) {
    throw new InvalidHandlerError(source, `${inspect(source)} cannot be its name, so the option "name" is needed`);
  }
  return source;
}

/**
 * Sees to it that former names lead to one handler each.
 * @param places Of the handlers, by name.
 * @throws InvalidOptionError for an alias that is a name of today or an alias of another handler; it names both.
 */
export function checkAliases(handlers: readonly HandlerDefinition[], places: ReadonlyMap<string, string>): void {
  const takenBy = new Map([...places].map(([name, place]) => [name, `the name of ${place}`]));
  for (const { name, options } of handlers) {
    const place = places.get(name) ?? name;
    for (const alias of options.aliases) {
      const other = takenBy.get(alias);
      if (other !== undefined) throw new InvalidOptionError(place, 'aliases', alias, `former names only, not ${other}`);
      takenBy.set(alias, `an alias of ${place}`);
    }
  }
}

export function isHandlerName(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && nameProblem(name) === undefined;
}
