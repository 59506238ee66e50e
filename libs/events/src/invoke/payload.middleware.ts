import type { Clock } from '../clock/clock.js';
import { upcastPayload } from '../envelope/upcast-payload.js';
import { validatePayload } from '../envelope/validate-payload.js';
import { HandlerTimeoutError } from '../errors/handler-timeout.error.js';
import { NewerVersionError } from '../errors/newer-version.error.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';
import type { Deadlines } from './deadlines.js';
import type { Outage } from './outage.js';

/** How long a delivery waits for a node that knows its event's version. */
const NEWER_VERSION_WAIT_MS = 5_000;

/**
 * Makes the event what its handler subscribed to: brings a payload that was too large for the claim, lifts an older
 * version step by step, then checks the result with the schema. What is inside of this link sees the event so.
 */
export class PayloadMiddleware implements ChainLink {
  readonly name = 'payload';

  /** @param read the payload of an event of the inbox; null when it is gone. */
  constructor(
    private readonly read: (seq: number) => Promise<string | null>,
    private readonly clock: Clock,
    private readonly outage: Outage,
    private readonly deadlines: Deadlines,
  ) {}

  invoke(attempt: Attempt, next: Next): Promise<void> {
    const definition = attempt.handler.definitions.get(attempt.event.type);
    const isPlain = !definition?.schema && (!definition || definition.version === attempt.event.version);
    return isPlain && attempt.delivery.event.payload !== null ? next() : this.prepare(attempt, next);
  }

  /** A schema or an upcaster that hangs is ended like a handler that does. */
  private async prepare(attempt: Attempt, next: Next): Promise<void> {
    const { name, options } = attempt.handler;
    const deadline = this.deadlines.add(options.timeoutMs, () =>
      attempt.abort(new HandlerTimeoutError(name, options.timeoutMs)),
    );
    try {
      await attempt.unlessAborted(this.make(attempt));
    } finally {
      this.deadlines.remove(deadline);
    }
    await next();
  }

  private async make(attempt: Attempt): Promise<void> {
    const { delivery, handler } = attempt;
    if (delivery.event.payload === null) await this.load(attempt, delivery.event.seq);
    const { event } = attempt;
    const definition = handler.definitions.get(event.type);
    if (definition) {
      const { type, version, schema } = definition;
      if (event.version > version) {
        const retryAt = this.clock.now() + NEWER_VERSION_WAIT_MS;
        throw attempt.refuse(new NewerVersionError(type, event.version, version, retryAt));
      }
      let { payload } = event;
      if (event.version < version) payload = await upcastPayload(definition, event.version, payload);
      if (schema) payload = await validatePayload(type, schema, payload);
      attempt.event = event.withPayload(payload, version);
    }
  }

  private async load(attempt: Attempt, seq: number): Promise<void> {
    const payload = await this.outage.guard(attempt, 'payload', () => this.read(seq));
    if (payload === null) throw new Error(`the payload of event ${attempt.event.id} is gone from the inbox`);
    attempt.event.supply(payload);
  }
}
