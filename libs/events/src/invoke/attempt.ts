import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { DeliveredEvent } from '../envelope/delivered-event.js';
import type { ClaimedDelivery } from '../store/records.js';
import type { DeliveryContext } from './delivery-context.js';
import { Invocation } from './invocation.js';

/**
 * One run of a handler for one delivery. It can be aborted once, by whoever is first (timeout, shutdown, cancellation, a
 * lost lease); the reason decides the outcome. The AbortController is made only if somebody asks for the signal.
 */
export class Attempt extends Invocation {
  context!: DeliveryContext;
  /** `context.transaction` has committed: the delivery is completed, whatever happens now. */
  committed = false;
  private controller?: AbortController;
  private abortError?: Error;
  private readonly abortListeners: ((reason: Error) => void)[] = [];

  constructor(
    readonly event: DeliveredEvent,
    readonly handler: HandlerDefinition,
    readonly delivery: ClaimedDelivery,
  ) {
    super();
  }

  get attempt(): number {
    return this.delivery.attempts + this.delivery.crashes + 1;
  }

  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController();
      if (this.abortError) this.controller.abort(this.abortError);
    }
    return this.controller.signal;
  }

  /** Why this attempt was aborted, if it was. */
  get aborted(): Error | undefined {
    return this.abortError;
  }

  abort(reason: Error): void {
    if (this.abortError) return;
    this.abortError = reason;
    for (const listener of this.abortListeners) listener(reason);
    this.controller?.abort(reason);
  }

  /** Calls `listener` when the attempt aborts; at once if it has. */
  onAbort(listener: (reason: Error) => void): void {
    if (this.abortError) listener(this.abortError);
    else this.abortListeners.push(listener);
  }
}
