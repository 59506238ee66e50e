import type { ProvidedClass } from '../discovery/provided-class.js';
import type { Clock } from '../clock/clock.js';
import type { Activity } from '../observability/activity.js';
import type { EventLifecycle } from '../observability/event-lifecycle.js';
import type { EventsLogger } from '../observability/events-logger.js';
import type { EventTracing } from '../observability/tracing/event-tracing.js';
import type { ChainStore } from '../store/chain.store.js';
import type { AttemptFailure } from '../store/records.js';
import type { Attempt } from './attempt.js';
import type { ChainLink } from './chain-link.js';
import { CircuitMiddleware } from './circuit.middleware.js';
import type { Circuits } from './circuits.js';
import type { ContextHeaders } from './context-headers.js';
import type { Deadlines } from './deadlines.js';
import { IdempotencyMiddleware } from './idempotency.middleware.js';
import { MetricsMiddleware } from './metrics.middleware.js';
import type { EventMiddleware } from './middleware.js';
import { Outage } from './outage.js';
import { PayloadMiddleware } from './payload.middleware.js';
import { RateLimitMiddleware } from './rate-limit.middleware.js';
import type { RateLimits } from './rate-limits.js';
import { TimeoutMiddleware } from './timeout.middleware.js';
import { TracingMiddleware } from './tracing.middleware.js';
import { userLinks } from './user.middleware.js';

/** What the links need of their node. */
export interface ChainParts {
  readonly clock: Clock;
  readonly logger: EventsLogger;
  readonly activity: Activity;
  readonly lifecycle: EventLifecycle;
  readonly tracing: EventTracing;
  /** Of the attempts before this one, in their order. */
  readonly readFailures: (attempt: Attempt) => Promise<readonly AttemptFailure[]>;
  readonly contextHeaders: ContextHeaders | undefined;
  readonly middleware: readonly ProvidedClass<EventMiddleware>[];
  readonly limits: RateLimits;
  readonly keys: Pick<ChainStore, 'claimKeys'>;
  readonly circuits: Circuits;
  readonly deadlines: Deadlines;
  /** The payload of an event of the inbox; null when it is gone. */
  readonly readPayload: (seq: number) => Promise<string | null>;
  /** A handler goes on although its attempt has ended. */
  readonly onLeak: (attempt: Attempt, ended: Promise<void>) => void;
}

/** The links of the invoker chain, outermost first; the handler is inside of the last. */
export function chainLinks(parts: ChainParts): ChainLink[] {
  const { clock, circuits, deadlines } = parts;
  const outage = new Outage(clock, parts.logger);
  return [
    new TracingMiddleware(parts.tracing, parts.readFailures),
    new MetricsMiddleware(parts.activity, parts.lifecycle, clock),
    new PayloadMiddleware(parts.readPayload, clock, outage, deadlines),
    ...userLinks(parts.middleware, deadlines, parts.contextHeaders),
    new RateLimitMiddleware(parts.limits, clock, outage),
    new IdempotencyMiddleware(parts.keys, clock, outage),
    new CircuitMiddleware(circuits, clock),
    new TimeoutMiddleware(deadlines, parts.onLeak),
  ];
}
