import { type ContextId, ContextIdFactory } from '@nestjs/core';
import type { Invocation } from '../invoke/invocation.js';

const contextIds = new WeakMap<Invocation, ContextId>();

/** The DI context of an attempt: its middleware and its handler share request-scoped providers. */
export function contextIdOf(invocation: Invocation): ContextId {
  let contextId = contextIds.get(invocation);
  if (!contextId) contextIds.set(invocation, (contextId = ContextIdFactory.getByRequest(invocation)));
  return contextId;
}
