import type { HandlerDefinition } from '../discovery/handler-definition.js';
import type { DeliveredEvent } from '../envelope/delivered-event.js';
import type { RefusedError } from '../errors/refused.error.js';
import type { AttemptSpan } from '../observability/tracing/attempt-span.js';
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
  /** `context.transaction` has completed the delivery, and its COMMIT is under way: the lease may be gone, and not be lost. */
  committing = false;
  /** Its idempotency key is completed: the work is done, the handler need not run. */
  duplicate = false;
  /** Why the chain did not let the handler run; undefined once it has run after all. */
  refusal: RefusedError | undefined;
  /** Its handler was stopped by a shutdown, a cancellation or a lost lease: it has not come to an end of its own. */
  cutOff = false;
  /** If it is traced, and somebody keeps its span. */
  span: AttemptSpan | undefined;
  /** The idempotency key that this attempt has claimed. */
  key: { readonly key: string; readonly ttlMs: number } | undefined;
  /** It has a token of the rate limit, good from this moment on, and not used up by a run of the handler. */
  rateSlot: number | null;
  private controller?: AbortController;
  private abortError?: Error;
  private readonly abortListeners: ((reason: Error) => void)[] = [];

  constructor(
    /** As stored; as its handler gets it once the chain has read and checked the payload. */
    public event: DeliveredEvent,
    readonly handler: HandlerDefinition,
    readonly delivery: ClaimedDelivery,
    /** Epoch of the handler's circuit in which the delivery was claimed. */
    readonly circuitEpoch = 0,
  ) {
    super();
    this.rateSlot = delivery.rateSlot;
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

  /** Whether the delivery must still be leased to this node. */
  get needsLease(): boolean {
    return !this.committed && !this.committing;
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

  /** Notes why the handler may not run now; for `throw attempt.refuse(...)`. */
  refuse(refusal: RefusedError): RefusedError {
    this.refusal = refusal;
    return refusal;
  }

  /** Waits for `work`, but no longer than the attempt may go on. */
  async unlessAborted<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      work.then(resolve, reject);
      this.onAbort(reject);
    });
  }
}
