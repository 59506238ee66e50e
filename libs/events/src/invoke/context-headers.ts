/**
 * Carries what the application keeps in AsyncLocalStorage (tenant, user, locale) from a publish to the handlers of its
 * events, in the events' headers.
 */
export interface ContextHeaders {
  /**
   * Asked once at each `publish` and `publishAll`, in the caller's async context; what it answers is stored with the
   * events. Headers that the publish gives itself win. What it throws fails the publish (`EVENTS_CONTEXT_CAPTURE`).
   */
  capture(): Record<string, string>;
  /**
   * Runs around each attempt: makes the context of the headers and calls `run` in it, which is the rest of the chain with
   * the handler in the end. Without `run`, or with an error of its own, the attempt has failed; the handler's errors
   * count even if it swallows them, and the attempt lasts until `run` has ended even if it does not wait.
   */
  restore(headers: Readonly<Record<string, string>>, run: () => Promise<void>): Promise<void>;
}
