import 'reflect-metadata';
import { Injectable } from '@nestjs/common';

/** What one `@OnEvent` or `@OnDeadLetter` says. Nothing of it has been checked. */
export interface Decoration {
  readonly decorator: 'OnEvent' | 'OnDeadLetter';
  readonly event: unknown;
  readonly options: unknown;
}

/** A method and all its decorations, top to bottom. */
export interface DecoratedMethod {
  readonly key: string | symbol;
  /** The class whose own body declares it; for a static one, the class itself. */
  readonly owner: object;
  readonly decorations: readonly Decoration[];
}

/** Of the global registry, so that two copies of this library in one process find each other's handlers. */
const DECORATIONS = Symbol.for('nestjs-durable-events:on-event');

type DecorationsByMethod = Map<string | symbol, Decoration[]>;

/**
 * Kept on the class body (`target`) under the method's name and not on the function: decorators that wrap the function
 * in another cannot lose it, and a subclass never writes into what it inherits.
 */
export function addDecoration(target: object, method: string | symbol, decoration: Decoration): void {
  let byMethod = ownDecorations(target);
  if (!byMethod) Reflect.defineMetadata(DECORATIONS, (byMethod = new Map()), target);
  const decorations = byMethod.get(method);
  // Decorators are applied from the bottom up.
  if (decorations) decorations.unshift(decoration);
  else byMethod.set(method, [decoration]);
}

function ownDecorations(target: object): DecorationsByMethod | undefined {
  return Reflect.getOwnMetadata(DECORATIONS, target) as DecorationsByMethod | undefined;
}

/** Reads what the decorators wrote. */
@Injectable()
export class HandlerMetadataAccessor {
  /**
   * The decorated methods of a prototype (or, for static ones, of a class), inherited ones included. Of a name only the
   * declaration nearest to `target` lives: where that one is undecorated, the decorated one it hides is `overridden`.
   */
  read(target: object): { methods: DecoratedMethod[]; overridden: DecoratedMethod[] } {
    const methods: DecoratedMethod[] = [];
    const overridden: DecoratedMethod[] = [];
    const seen = new Set<string | symbol>();
    const nearer: object[] = [];
    for (let owner: object | null = target; owner; owner = Object.getPrototypeOf(owner) as object | null) {
      for (const [key, decorations] of ownDecorations(owner) ?? []) {
        if (seen.has(key)) continue;
        seen.add(key);
        const hidden = nearer.some((body) => Object.hasOwn(body, key));
        (hidden ? overridden : methods).push({ key, owner, decorations });
      }
      nearer.push(owner);
    }
    return { methods, overridden };
  }
}
