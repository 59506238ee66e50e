import { ConsoleLogger, Logger, type LoggerService } from '@nestjs/common';
import type { LogFields } from './log-fields.js';

type Level = 'log' | 'debug' | 'warn' | 'error';
/** As `FormedLogger` passes a line on: of an error its stack comes first. */
type Rest = readonly [fields: LogFields, context: string];
type ErrorRest = readonly [stack: string | undefined, ...Rest];

/**
 * Nest's logger, which hands a line with fields to the application's logger in the form that this one takes. The form is
 * chosen when the line is written: with `bufferLogs` that is later, and to another logger. A logger that throws changes
 * nothing: a lost line is better than a lost loop.
 */
export class FormedLogger extends Logger {
  override get localInstance(): LoggerService {
    // Nest's own type leaves out that there is none after `useLogger(false)`; whoever reads it asks.
    const target = super.localInstance as LoggerService | undefined;
    const write =
      (level: Exclude<Level, 'error'>) =>
      (message: string, ...[fields, context]: Rest) =>
        quietly(() => target && writeTo(target, level, { message, fields, context }));
    return {
      log: write('log'),
      debug: write('debug'),
      warn: write('warn'),
      error: (message: string, ...[stack, fields, context]: ErrorRest) =>
        quietly(() => target && writeTo(target, 'error', { message, fields, stack, context })),
    };
  }
}

interface Line {
  readonly message: string;
  readonly fields: LogFields;
  readonly stack?: string;
  readonly context: string;
}

function writeTo(target: LoggerService, level: Level, { message, fields, stack, context }: Line): void {
  if (takesFieldsFirst(target)) {
    const { error } = fields;
    // Without a prototype: what pino's serializer takes for the error's class is the constructor, if there is one.
    const err: unknown = stack && Object.assign(Object.create(null), { name: error ?? 'Error', message, stack });
    target[level]?.({ ...fields, ...(stack && { err }) }, message, context);
    return;
  }
  const parts: unknown[] = takesFields(target) ? [fields, context] : [context];
  target[level]?.(message, ...(level === 'error' ? [stack, ...parts] : parts));
}

/** nestjs-pino's Logger, unlike its NativeLogger: it merges an object that comes first, and drops those that come later. */
function takesFieldsFirst(target: LoggerService): boolean {
  return 'contextName' in target && !('structuredParams' in target);
}

/** All but a console that shows text: there the message says it all, and fields would say it again. */
function takesFields(target: LoggerService): boolean {
  if (!(target instanceof ConsoleLogger)) return true;
  const { json, structuredParams } = target['options'];
  return json === true && structuredParams !== false;
}

function quietly(write: () => unknown): void {
  try {
    write();
  } catch {
    // There is nobody left to tell.
  }
}
