import { Scope, type Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import { InvalidOptionError } from '../errors/invalid-option.error.js';
import type { Invocation } from '../invoke/invocation.js';
import { contextIdOf } from './invocation-context.js';

/** A class that an option names, provided by some module of the application. */
export interface ProvidedClass<T> {
  readonly type: Type<T>;
  /** The instance: one for all, or, of a request-scoped or transient class, the one of this attempt. */
  get(invocation: Invocation): T | Promise<T>;
}

/**
 * Finds the provider of a class.
 * @throws InvalidOptionError when no module provides it, or when what is provided has no such method.
 */
export function findProvided<T extends object>(
  modules: ModuleRef,
  option: string,
  type: Type<T>,
  method: keyof T & string,
): ProvidedClass<T> {
  let scope: Scope | undefined;
  try {
    ({ scope } = modules.introspect(type));
  } catch {
    throw new InvalidOptionError('EventsModule.forRoot()', option, type, 'the class of a provider of the application');
  }
  if (scope === Scope.REQUEST || scope === Scope.TRANSIENT) {
    return {
      type,
      get: (invocation) => {
        const contextId = contextIdOf(invocation);
        modules.registerRequestByContextId(invocation, contextId);
        return modules.resolve<T, T>(type, contextId, { strict: false });
      },
    };
  }
  const instance = modules.get<T, T>(type, { strict: false });
  if (typeof instance?.[method] !== 'function') {
    throw new InvalidOptionError('EventsModule.forRoot()', option, type, `a class with a method ${method}`);
  }
  return { type, get: () => instance };
}
