import { Logger } from '@nestjs/common';

/** Nest's logger, except that one of the application's that throws changes nothing: a lost line is better than a lost loop. */
export class EventsLogger extends Logger {
  override log(...line: [message: unknown]): void {
    quietly(() => super.log(...line));
  }

  override debug(...line: [message: unknown]): void {
    quietly(() => super.debug(...line));
  }

  override warn(...line: [message: unknown]): void {
    quietly(() => super.warn(...line));
  }

  override error(...line: [message: unknown, stack?: string]): void {
    quietly(() => super.error(...line));
  }
}

function quietly(write: () => void): void {
  try {
    write();
  } catch {
    // There is nobody left to tell.
  }
}
