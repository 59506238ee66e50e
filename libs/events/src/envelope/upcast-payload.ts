import { UpcastError } from '../errors/upcast.error.js';
import { deepFreeze } from './deep-freeze.js';
import type { EventDefinition } from './event-definition.js';

/**
 * Lifts a payload from an older version to the definition's, one step at a time, and freezes it before each step: it is
 * shared, so an upcaster must answer a new one.
 * @throws UpcastError for a step that is missing or that fails.
 */
export async function upcastPayload(definition: EventDefinition, version: number, payload: unknown): Promise<unknown> {
  const { type, upcasters } = definition;
  let lifted = payload;
  for (let from = version; from < definition.version; from++) {
    const upcast = upcasters?.[from];
    if (!upcast) throw new UpcastError(type, from, from + 1, 'its definition has no upcaster for that');
    try {
      lifted = await upcast(deepFreeze(lifted));
    } catch (cause) {
      throw new UpcastError(type, from, from + 1, 'the upcaster failed', { cause });
    }
    if (lifted === undefined) throw new UpcastError(type, from, from + 1, 'the upcaster answered nothing');
  }
  return lifted;
}
