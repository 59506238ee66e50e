/** Scope: who inherits from a retired handler, where more than one has been adopted. */
import { describe, expect, it } from 'vitest';
import type { HandlerRow } from './memory-handlers.js';
import { MemoryRegistry } from './memory-registry.js';

function announce(registry: MemoryRegistry, name: string, ...aliases: string[]): void {
  registry.announce(1, [{ name, aliases, priority: 50, ordered: false, onDeadLetter: 'block', patterns: [] }], 0);
}

const heir = (registry: MemoryRegistry, name: string) => registry.heirOf(registry.get(name) as HandlerRow);

describe('MemoryRegistry', () => {
  it('the heir of a handler that was renamed twice has the last name', () => {
    const registry = new MemoryRegistry(new Map());
    announce(registry, 'a');
    announce(registry, 'b', 'a');
    expect(heir(registry, 'a')).toBe('b');
    announce(registry, 'c', 'b');
    expect([heir(registry, 'a'), heir(registry, 'b')]).toEqual(['c', 'c']);
  });

  it('there is no heir when the last has retired too, not even after a rename there and back', () => {
    const registry = new MemoryRegistry(new Map());
    announce(registry, 'a');
    announce(registry, 'b', 'a');
    announce(registry, 'a', 'b');
    expect(heir(registry, 'b')).toBe('a');
    registry.retire([registry.get('a') as HandlerRow], 1);
    expect([heir(registry, 'a'), heir(registry, 'b')]).toEqual([undefined, undefined]);
  });
});
