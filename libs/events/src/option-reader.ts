import { parseDuration } from './duration.js';
import { InvalidOptionError } from './errors/invalid-option.error.js';
import { nearestName } from './nearest-name.js';

/** Node fires a longer timer at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Keeps any moment that is this far from now a safe integer and a valid Date. */
export const LONGEST_DURATION_MS = 2 ** 52;
const LARGEST_COUNT = 2 ** 31 - 1;

/** The names of all options of an interface; the compiler sees to it that none is missing. */
export function namesOf<T>(names: Record<keyof T, true>): string[] {
  return Object.keys(names);
}

/** Checks the options of one place; every error names the place, the option and its value. `undefined` = left out. */
export class OptionReader {
  constructor(
    private readonly place: string,
    /** Before each option's name in messages. */
    private readonly prefix = '',
    /** Of an unknown option only the kind is shown: a misspelt one may hold a password. */
    private readonly hidesUnknown = false,
  ) {}

  /** Refuses anything but an object with these names. */
  names(path: string, value: unknown, known: readonly string[], expected = 'an object'): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.invalid(path || 'options', value, expected);
    }
    for (const [name, given] of Object.entries(value)) {
      if (known.includes(name)) continue;
      const nearest = nearestName(name, known);
      const hint = nearest ? `did you mean "${nearest}"?` : `there are ${known.join(', ')}`;
      const shown: unknown = this.hidesUnknown ? `<${given === null ? 'null' : typeof given}>` : given;
      throw this.invalid(path ? `${path}.${name}` : name, shown, `left out: it is unknown (${hint})`);
    }
  }

  count(option: string, value: unknown, least = 1, most = LARGEST_COUNT): number | undefined {
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    const bounds = most === LARGEST_COUNT ? `from ${least} up` : `from ${least} to ${most}`;
    throw this.invalid(option, value, `a whole number ${bounds}`);
  }

  /** Milliseconds. */
  duration(option: string, value: unknown, least = 0, most = LONGEST_DURATION_MS): number | undefined {
    if (value === undefined) return undefined;
    const parsed = parseDuration(value);
    if (parsed !== undefined && parsed >= least && parsed <= most) return parsed;
    const bounds = most === LONGEST_DURATION_MS ? `from ${least} ms up` : `from ${least} to ${most} ms`;
    throw this.invalid(option, value, `a duration ${bounds}, such as 5000 or '30s'`);
  }

  flag(option: string, value: unknown): boolean | undefined {
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.invalid(option, value, 'true or false');
  }

  oneOf<T extends string>(option: string, value: T | undefined, choices: readonly T[], orElse = ''): T | undefined {
    if (value === undefined || choices.includes(value)) return value;
    const list = choices.map((choice) => `'${choice}'`).join(choices.length === 2 ? ' or ' : ', ');
    throw this.invalid(option, value, list + orElse);
  }

  callback<T>(option: string, value: T): T {
    if (value === undefined || typeof value === 'function') return value;
    throw this.invalid(option, value, 'a function');
  }

  invalid(option: string, value: unknown, expected: string): InvalidOptionError {
    return new InvalidOptionError(this.place, `${this.prefix}${option}`, value, expected);
  }
}
