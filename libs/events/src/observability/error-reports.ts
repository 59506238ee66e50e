import { Inject, Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Clock, type TimerHandle } from '../clock/clock.js';
import { findProvided, type ProvidedClass } from '../discovery/provided-class.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import type { Invocation } from '../invoke/invocation.js';
import type { ErrorReporter } from './error-reporter.js';
import { EventsLogger } from './events-logger.js';
import { LogStorms } from './log-storms.js';

/** Reports under way at a time; beyond that a reporter that hangs would fill the memory. */
const MOST_PENDING = 1_000;

/** Tells the application's ErrorReporter, if it has one. Nothing that goes wrong there reaches the delivery. */
@Injectable()
export class ErrorReports {
  private readonly logger = new EventsLogger('ErrorReporter');
  private reporter: ProvidedClass<ErrorReporter> | undefined;
  private readonly pending = new Set<Promise<void>>();

  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: Pick<ResolvedEventsOptions, 'errorReporter'>,
    private readonly clock: Clock,
    private readonly storms: LogStorms,
    private readonly modules: ModuleRef,
  ) {}

  /** @throws InvalidOptionError when the reporter is not provided. */
  prepare(): void {
    const { errorReporter } = this.options;
    if (errorReporter) this.reporter = findProvided(this.modules, 'errorReporter', errorReporter, 'report');
  }

  /** Does not wait for the reporter, and never throws. */
  report(thrown: unknown, invocation: Invocation, final: boolean): void {
    const { reporter } = this;
    if (!reporter) return;
    if (this.pending.size >= MOST_PENDING) {
      this.tellFailure('reports left out', invocation, {
        message: `${MOST_PENDING} reports are still under way, this one is left out`,
      });
      return;
    }
    const report = this.tell(reporter, thrown, invocation, final);
    this.pending.add(report);
    void report.then(() => this.pending.delete(report));
  }

  /** Resolves when all reports under way have ended, or after `timeoutMs`. */
  async idle(timeoutMs: number): Promise<void> {
    if (this.pending.size === 0) return;
    let timer: TimerHandle;
    const late = new Promise<void>((resolve) => (timer = this.clock.setTimeout(resolve, timeoutMs)));
    await Promise.race([Promise.all(this.pending), late]);
    this.clock.clearTimeout(timer);
  }

  /** Never rejects. */
  private async tell(
    reporter: ProvidedClass<ErrorReporter>,
    thrown: unknown,
    invocation: Invocation,
    final: boolean,
  ): Promise<void> {
    const { event, handler, attempt } = invocation;
    try {
      const stack = stackOf(thrown);
      const instance = await reporter.get(invocation);
      await instance.report(thrown, { ...(stack && { stack }), event, handler: handler.name, attempt, final });
    } catch (failure) {
      this.tellFailure('failures of the error reporter', invocation, {
        message: 'the error reporter failed',
        stack: () => textOf(failure),
      });
    }
  }

  private tellFailure(
    kind: string,
    { event, handler: { name: handler }, attempt }: Invocation,
    { message, stack }: { readonly message: string; readonly stack?: () => string },
  ): void {
    const fields = { handler, type: event.type, eventId: event.id, attempt };
    this.storms.write(this.logger, { level: 'error', kind, message: () => message, common: {}, fields, stack });
  }
}

function stackOf(thrown: unknown): string | undefined {
  try {
    if (thrown instanceof Error) return thrown.stack;
  } catch {
    // An error that cannot be read is reported all the same.
  }
  return new Error('a thrown value that is no Error').stack;
}

function textOf(failure: unknown): string {
  try {
    return failure instanceof Error ? (failure.stack ?? failure.message) : String(failure);
  } catch {
    return 'with an error that cannot be read';
  }
}
