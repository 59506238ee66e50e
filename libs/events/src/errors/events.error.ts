/**
 * Base of every error this library throws. Tell errors apart by class or by `code`, never by message:
 * messages are for people and may change. The original error, where there is one, is in `cause`.
 */
export abstract class EventsError extends Error {
  /** Stable, machine-readable, e.g. `EVENTS_NO_TRANSACTION`. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
