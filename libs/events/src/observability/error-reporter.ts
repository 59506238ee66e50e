import type { EventMessage } from '../envelope/event-message.js';

/** Where an error came from. */
export interface ErrorInfo {
  /** The error's own; of a thrown value that is no Error, where it was caught. */
  readonly stack?: string;
  readonly event: EventMessage;
  /** Name of the handler. */
  readonly handler: string;
  /** The attempt it ended, from 1. */
  readonly attempt: number;
  /** True: the delivery will not be tried again. */
  readonly final: boolean;
}

/**
 * Learns of every final failure and of every thrown value that is no Error: the place to tell Sentry and the like. What
 * it throws is logged and changes nothing; nobody waits for its promise but the shutdown. Name the class, a provider of
 * the application, in the module option `errorReporter`.
 */
export interface ErrorReporter {
  report(error: unknown, info: ErrorInfo): void | Promise<void>;
}
