import type { LoggerService } from '@nestjs/common';

/** A line as Nest's loggers take it. */
export interface LogRecord {
  readonly level: string;
  readonly message: string;
  readonly context: unknown;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly stack?: string;
}

/** Keeps whole lines: level, message, fields, stack and context. */
export class LogRecords implements LoggerService {
  readonly records: LogRecord[] = [];
  readonly log = (message: string, ...rest: unknown[]) => this.add('log', message, rest);
  readonly debug = (message: string, ...rest: unknown[]) => this.add('debug', message, rest);
  readonly warn = (message: string, ...rest: unknown[]) => this.add('warn', message, rest);
  readonly error = (message: string, stack: string | undefined, ...rest: unknown[]) =>
    this.add('error', message, rest, stack);

  /** Of this library. */
  of(context: string | RegExp): LogRecord[] {
    return this.records.filter((record) => String(record.context).match(context));
  }

  private add(level: string, message: string, rest: unknown[], stack?: string): void {
    const context = rest.at(-1);
    const fields = rest.length > 1 ? (rest[0] as LogRecord['fields']) : {};
    this.records.push({ level, message, context, fields, ...(stack !== undefined && { stack }) });
  }
}
