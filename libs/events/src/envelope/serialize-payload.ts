import { InvalidEventError } from '../errors/invalid-event.error.js';
import { formatPath } from './json-path.js';

/** Deeper payloads are refused; it also bounds the recursion below, so that a cycle ends. */
const DEEPEST = 1000;
/** A path longer than this is cut in messages. */
const LONGEST_PATH = 10;

/** Where JSON would lose something, and what. */
interface Loss {
  readonly problem: string;
  /** Keys from the innermost to the outermost. */
  readonly path: PropertyKey[];
  /** The containers on the way, from the innermost; collected only when the payload is too deep, to find a cycle. */
  readonly trail?: object[];
}

/**
 * The payload as JSON text. What JSON would change or leave out without a word is refused, so that handlers read what
 * was published; the one exception are properties that are `undefined`, which are left out. Instances of classes pass as
 * the data they hold, unless they have a JSON form (`toJSON`) or an inner state that would come back as something else.
 * @throws InvalidEventError whose `field` is the place, e.g. `payload.items[3].at`
 */
export function serializePayload(payload: unknown): string {
  const loss = findLoss(payload, 0);
  if (loss) throw toError(loss);
  return JSON.stringify(payload);
}

function findLoss(value: unknown, depth: number): Loss | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { problem: `is ${value}, which JSON cannot carry`, path: [] };
    case 'object':
      return value === null ? undefined : findLossInside(value, depth);
    default:
      return { problem: `is ${kindOf(value)}, which JSON cannot carry`, path: [] };
  }
}

function findLossInside(container: object, depth: number): Loss | undefined {
  if (depth === DEEPEST) return { problem: `is nested over ${DEEPEST} levels deep`, path: [], trail: [container] };
  if (Array.isArray(container)) {
    for (let index = 0; index < container.length; index++) {
      const loss = findLoss(container[index], depth + 1);
      if (loss) return from(loss, container, index);
    }
    return undefined;
  }
  const problem = problemOfObject(container);
  if (problem !== undefined) return { problem, path: [] };
  for (const key of Object.keys(container)) {
    const part = (container as Record<string, unknown>)[key];
    if (part === undefined) continue;
    const loss = findLoss(part, depth + 1);
    if (loss) return from(loss, container, key);
  }
  return undefined;
}

function from(loss: Loss, container: object, key: PropertyKey): Loss {
  loss.path.push(key);
  loss.trail?.push(container);
  return loss;
}

function problemOfObject(object: object): string | undefined {
  if (typeof (object as { toJSON?: unknown }).toJSON === 'function') {
    return `is ${kindOf(object)}, which would come back as its JSON form: publish that form`;
  }
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === Object.prototype || prototype === null) return undefined;
  const builtIn = Object.prototype.toString.call(object) !== '[object Object]';
  // An instance without a single property of its own keeps its state where JSON does not look.
  if (builtIn || Object.keys(object).length === 0) return `is ${kindOf(object)}, which JSON cannot carry`;
  return undefined;
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === undefined ? 'undefined' : `a ${typeof value}`;
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && name !== '' && name !== 'Object'
    ? `an instance of ${name}`
    : 'an object with toJSON';
}

function toError({ problem, path, trail }: Loss): InvalidEventError {
  let keys = path.toReversed();
  if (trail) {
    const containers = trail.toReversed();
    const seen = new Set<object>();
    const repeated = containers.findIndex((container) => seen.size === seen.add(container).size);
    if (repeated >= 0) {
      keys = keys.slice(0, repeated);
      problem = 'refers back to an object that contains it, which JSON cannot carry';
    }
  }
  const shown = keys.length > LONGEST_PATH ? [...keys.slice(0, LONGEST_PATH), '…'] : keys;
  return new InvalidEventError(formatPath(['payload', ...shown]), problem);
}
