import { FormedLogger } from './formed-logger.js';
import type { LogFields } from './log-fields.js';
import { withoutCredentials } from './without-credentials.js';

const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029]+/gu;

/**
 * How this library logs: a message that says it all in one line, and the same as fields for machines. Whatever the
 * application's logger throws changes nothing.
 */
export class EventsLogger {
  private readonly nest: FormedLogger;

  constructor(context: string) {
    this.nest = new FormedLogger(context);
  }

  log(message: string, fields: LogFields = {}): void {
    this.nest.log(oneLine(message), fields);
  }

  debug(message: string, fields: LogFields = {}): void {
    this.nest.debug(oneLine(message), fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.nest.warn(oneLine(message), fields);
  }

  error(message: string, fields: LogFields = {}, stack?: string): void {
    this.nest.error(oneLine(message), stack && withoutCredentials(stack), fields);
  }
}

/** What a handler has thrown must not look like further lines. */
function oneLine(message: string): string {
  return withoutCredentials(message).replace(CONTROL_CHARACTERS, ' ');
}
