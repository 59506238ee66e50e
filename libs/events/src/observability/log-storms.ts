import { Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import type { EventsLogger } from './events-logger.js';
import type { LogFields } from './log-fields.js';

const WINDOW_MS = 10_000;
/** Lines of a kind that a window lets through. */
const MOST_LINES = 20;
/** Kinds that are told apart; beyond that, all others are one. */
const MOST_KINDS = 1_000;
const OTHERS = 'lines of other kinds';

/** A line of which a storm may come. */
export interface StormLine {
  readonly level: 'debug' | 'warn' | 'error';
  /** The kind, as a plural: 'retries of handler x'. Lines of one kind are limited together. */
  readonly kind: string;
  readonly message: () => string;
  readonly fields: LogFields;
  /** Of the fields, those that all lines of the kind have in common. */
  readonly common: LogFields;
  readonly stack?: () => string;
}

interface Window {
  readonly since: number;
  lines: number;
  leftOut: number;
  tell: (leftOut: number, ms: number) => void;
}

/**
 * Keeps a storm out of the log: the first lines of a kind within ten seconds are written, the others counted, and told in
 * one line. That is written with the next line of any kind, or at `sweep`: no timer of its own.
 */
@Injectable()
export class LogStorms {
  /** By kind, the oldest first. */
  private readonly windows = new Map<string, Window>();

  constructor(private readonly clock: Clock) {}

  /** False when the line was only counted. */
  write(logger: Pick<EventsLogger, StormLine['level']>, line: StormLine): boolean {
    this.sweep();
    const { kind, window } = this.windowOf(line.kind);
    if (window.lines < MOST_LINES) {
      window.lines++;
      put(logger, line.level, line.message(), line.fields, line.stack?.());
      return true;
    }
    window.leftOut++;
    // Without the line itself, which may hold on to an event.
    const { level, common } = line;
    if (window.leftOut === 1) window.tell = (leftOut, ms) => tell(logger, level, { kind, common, leftOut, ms });
    return false;
  }

  /** Tells what was left out in windows that have ended, and forgets them. */
  sweep(): void {
    const now = this.clock.monotonic();
    for (const [kind, { since }] of this.windows) {
      if (now - since < WINDOW_MS) return;
      this.end(kind);
    }
  }

  /** Tells what was left out up to now: nothing more will come. */
  close(): void {
    for (const kind of this.windows.keys()) this.end(kind);
  }

  private windowOf(asked: string): { readonly kind: string; readonly window: Window } {
    const kind = this.windows.has(asked) || this.windows.size < MOST_KINDS ? asked : OTHERS;
    let window = this.windows.get(kind);
    if (!window) {
      window = { since: this.clock.monotonic(), lines: 0, leftOut: 0, tell: () => undefined };
      this.windows.set(kind, window);
    }
    return { kind, window };
  }

  private end(kind: string): void {
    const window = this.windows.get(kind);
    this.windows.delete(kind);
    if (window && window.leftOut > 0) window.tell(window.leftOut, this.clock.monotonic() - window.since);
  }
}

function tell(
  logger: Pick<EventsLogger, StormLine['level']>,
  level: StormLine['level'],
  { kind, common, leftOut, ms }: Pick<StormLine, 'kind' | 'common'> & { leftOut: number; ms: number },
): void {
  const message = `and ${leftOut.toLocaleString('en-US')} more ${kind} in the last ${Math.max(1, Math.round(ms / 1_000))} s`;
  put(logger, level, message, { ...(kind !== OTHERS && common), leftOut, windowMs: Math.round(ms) });
}

function put(
  logger: Pick<EventsLogger, StormLine['level']>,
  level: StormLine['level'],
  message: string,
  fields: LogFields,
  stack?: string,
): void {
  if (level === 'error') logger.error(message, fields, stack);
  else logger[level](message, fields);
}
