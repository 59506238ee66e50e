import type { ResolvedHandlerOptions } from '../discovery/on-event.options.js';
import type { LogFields } from './log-fields.js';

/** A handler's policies for the log: those that every handler has, and of the others those that it has. */
export function describePolicies(options: ResolvedHandlerOptions): {
  readonly text: string;
  readonly fields: LogFields;
} {
  const { priority, concurrency, timeoutMs, retry, circuit, rateLimit, idempotency, ordering } = options;
  const { maxAttempts } = retry;
  const parts = [
    `priority ${priority}, concurrency ${concurrency}, timeout ${timeoutMs} ms, ${maxAttempts} attempts`,
    circuit ? `circuit opens at ${circuit.failureThreshold} failures` : 'no circuit breaker',
    ...(rateLimit ? [`at most ${rateLimit.limit} in ${rateLimit.periodMs} ms${rateLimit.key ? ' per key' : ''}`] : []),
    ...(idempotency && idempotency.key ? [`idempotent for ${idempotency.ttlMs} ms`] : []),
    ...(ordering
      ? [`in order, a dead letter ${ordering.onDeadLetter === 'block' ? 'blocks its lane' : 'is skipped'}`]
      : []),
  ];
  return {
    text: parts.join(', '),
    fields: {
      priority,
      concurrency,
      timeoutMs,
      maxAttempts,
      ...(circuit && { circuitThreshold: circuit.failureThreshold }),
      ...(rateLimit && { rateLimit: rateLimit.limit, ratePeriodMs: rateLimit.periodMs }),
      ...(idempotency && idempotency.key && { idempotencyTtlMs: idempotency.ttlMs }),
      ...(ordering && { onDeadLetter: ordering.onDeadLetter }),
    },
  };
}
