import type { Type } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { Invocation } from '../invoke/invocation.js';
import { contextIdOf } from './invocation-context.js';

/** A provider or controller that may have handlers. */
export interface HandlerHost {
  readonly className: string;
  /** Of the module that provides it, for messages. */
  readonly moduleName: string;
  readonly prototype: object;
  readonly instance: HostInstance;
}

/** `shared`: one for all deliveries. `resolve`: one for each, or for as many as its scope says. */
export type HostInstance =
  { readonly shared: object } | { readonly resolve: (invocation: Invocation) => Promise<object> };

/** The host behind a wrapper; undefined when there is nothing in it whose methods could be handlers. */
export function toHandlerHost(wrapper: InstanceWrapper): HandlerHost | undefined {
  const instance = instanceOf(wrapper);
  const prototype =
    instance && ('shared' in instance ? Object.getPrototypeOf(instance.shared) : classOf(wrapper)?.prototype);
  if (!instance || typeof prototype !== 'object' || prototype === null) return undefined;
  const { name } = (prototype as object).constructor;
  return { className: name, moduleName: wrapper.host?.name ?? '', prototype: prototype as object, instance };
}

function instanceOf(wrapper: InstanceWrapper): HostInstance | undefined {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
    const shared: unknown = wrapper.instance;
    return typeof shared === 'object' && shared !== null ? { shared } : undefined;
  }
  const moduleRef = wrapper.host?.getProviderByKey<ModuleRef>(ModuleRef).instance;
  return moduleRef && { resolve: (invocation) => resolveFor(invocation, wrapper, moduleRef) };
}

/** The class that instances will be of; of a factory it is only known when the token says so. */
function classOf(wrapper: InstanceWrapper): Type | undefined {
  const type: unknown = wrapper.isNotMetatype ? wrapper.token : wrapper.metatype;
  return typeof type === 'function' ? (type as Type) : undefined;
}

async function resolveFor(invocation: Invocation, wrapper: InstanceWrapper, moduleRef: ModuleRef): Promise<object> {
  const contextId = contextIdOf(invocation);
  // A durable instance outlives the delivery it is made for: as with HTTP, its REQUEST is the strategy's payload, if any.
  const outlives = contextId.getParent !== undefined && wrapper.isDependencyTreeDurable();
  moduleRef.registerRequestByContextId(outlives ? contextId.payload : invocation, contextId);
  return moduleRef.resolve<unknown, object>(wrapper.token as Type, contextId, { strict: true });
}
