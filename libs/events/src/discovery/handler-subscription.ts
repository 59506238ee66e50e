import type { EventDefinition } from '../envelope/event-definition.js';
import { compilePattern } from '../envelope/event-pattern.js';
import { eventTypeProblem, RESERVED_PREFIX } from '../envelope/event-type-name.js';
import { InvalidHandlerError } from '../errors/invalid-handler.error.js';
import { InvalidPatternError } from '../errors/invalid-pattern.error.js';
import type { Decoration } from './handler-metadata.accessor.js';

/** What a handler listens to. */
export interface HandlerSubscription {
  /** As written, each once; definitions stand for their type. */
  readonly patterns: readonly string[];
  readonly definitions: ReadonlyMap<string, EventDefinition>;
}

/**
 * Adds up the events that the decorators of one method name.
 * @throws InvalidHandlerError when one names none, or something that is no event.
 */
export function readSubscription(source: string, decorations: readonly Decoration[]): HandlerSubscription {
  const patterns = new Set<string>();
  const definitions = new Map<string, EventDefinition>();
  for (const { decorator, event } of decorations.flatMap((decoration) => oneOrMany(source, decoration))) {
    if (typeof event === 'string') {
      const pattern = checkedPattern(source, event);
      if (decorator === 'OnDeadLetter' && pattern.startsWith(RESERVED_PREFIX)) {
        throw new InvalidHandlerError(source, `dead letters of types under '${RESERVED_PREFIX}' are told to nobody`);
      }
      patterns.add(pattern);
      continue;
    }
    const definition = checkedDefinition(source, event);
    const other = definitions.get(definition.type);
    if (other && other !== definition) {
      throw new InvalidHandlerError(source, `it is given two different definitions of ${definition.type}`);
    }
    definitions.set(definition.type, definition);
    patterns.add(definition.type);
  }
  return { patterns: [...patterns], definitions };
}

function oneOrMany(source: string, decoration: Decoration): readonly Decoration[] {
  const { event } = decoration;
  if (!Array.isArray(event)) return [decoration];
  if (event.length === 0) throw new InvalidHandlerError(source, 'its list of events is empty');
  return event.map((event: unknown) => ({ ...decoration, event }));
}

function checkedPattern(source: string, pattern: string): string {
  try {
    return compilePattern(pattern).text;
  } catch (error) {
    if (!(error instanceof InvalidPatternError)) throw error;
    throw new InvalidHandlerError(source, error.message, { cause: error });
  }
}

function checkedDefinition(source: string, event: unknown): EventDefinition {
  if (event === undefined) {
    throw new InvalidHandlerError(source, 'its event is undefined (is there an import cycle with its definition?)');
  }
  const type: unknown = typeof event === 'object' && event !== null && 'type' in event ? event.type : undefined;
  if (type === undefined)
    throw new InvalidHandlerError(source, 'its event is neither a text nor made by defineEvent()');
  const problem = eventTypeProblem(type);
  if (problem !== undefined) throw new InvalidHandlerError(source, `the type of its event ${problem}`);
  return event as EventDefinition;
}
