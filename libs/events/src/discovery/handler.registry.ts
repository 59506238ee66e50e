import { Injectable } from '@nestjs/common';
import { compilePattern, type EventPattern } from '../envelope/event-pattern.js';
import type { HandlerDefinition } from './handler-definition.js';

/** Event types whose handlers are remembered; beyond that the memory starts anew. */
const MOST_REMEMBERED_TYPES = 10_000;

/** The config map: this node's handlers, by name and by the event types they listen to. */
@Injectable()
export class HandlerRegistry {
  private readonly byName = new Map<string, HandlerDefinition>();
  private readonly byType = new Map<string, readonly HandlerDefinition[]>();
  private readonly patterns = new Map<string, readonly EventPattern[]>();

  /** Adds handlers; the explorer has seen to it that their names are unique and their patterns valid. */
  register(handlers: readonly HandlerDefinition[]): void {
    for (const handler of handlers) {
      this.byName.set(handler.name, handler);
      this.patterns.set(handler.name, handler.patterns.map(compilePattern));
    }
    this.byType.clear();
  }

  /** In the order they were found. */
  all(): readonly HandlerDefinition[] {
    return [...this.byName.values()];
  }

  get(name: string): HandlerDefinition | undefined {
    return this.byName.get(name);
  }

  /** The handlers that listen to an event type, in the order they were found. */
  matching(type: string): readonly HandlerDefinition[] {
    let found = this.byType.get(type);
    if (!found) {
      found = this.all().filter(({ name }) => this.patterns.get(name)?.some((pattern) => pattern.matches(type)));
      if (this.byType.size >= MOST_REMEMBERED_TYPES) this.byType.clear();
      this.byType.set(type, found);
    }
    return found;
  }
}
