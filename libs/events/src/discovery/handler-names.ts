import { inspect } from 'node:util';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import { InvalidHandlerError } from '../errors/invalid-handler.error.js';

const LONGEST_NAME = 255;
/** NUL, or half of a surrogate pair: no database stores these in a text. */
const UNSTORABLE = /[\0\p{Surrogate}]/u;
/** Classes made by Nest's `mixin()` are named at random, anew at each start. */
const MIXIN_NAME = /^[0-9a-f]{21}$/;

/**
 * The name under which a handler's deliveries are kept: the `name` option, else `Class.method`.
 * @throws InvalidOptionError, InvalidHandlerError
 */
export function handlerName(place: string, className: string, method: string, name: unknown): string {
  if (name !== undefined) {
    if (isStorable(name)) return name;
    throw new InvalidOptionError(place, 'name', name, `a text of 1 to ${LONGEST_NAME} characters without NUL`);
  }
  const source = `${className}.${method}`;
  if (className === '' || MIXIN_NAME.test(className)) {
    throw new InvalidHandlerError(source, 'its class has no lasting name, so the option "name" is needed');
  }
  if (!isStorable(source)) {
    throw new InvalidHandlerError(source, `${inspect(source)} cannot be its name, so the option "name" is needed`);
  }
  return source;
}

function isStorable(name: unknown): name is string {
  return typeof name === 'string' && name.length > 0 && name.length <= LONGEST_NAME && !UNSTORABLE.test(name);
}
