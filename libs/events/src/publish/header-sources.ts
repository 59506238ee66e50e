import { Injectable } from '@nestjs/common';
import { type Context, propagation } from '@opentelemetry/api';
import { CAUSATION_ID, CORRELATION_ID } from '../envelope/header-names.js';
import { CurrentAttempt } from '../invoke/current-attempt.js';
import { EventTracing } from '../observability/tracing/event-tracing.js';

type Headers = Readonly<Record<string, string>>;

/** What a publish adds to the headers that its caller gives. */
export interface AddedHeaders {
  /** The trace that it belongs to. */
  readonly trace: Headers;
  /** What caused it. */
  readonly cause: Headers;
}

const NONE: Headers = Object.freeze({});

/** Asks, at a publish, for everything that goes with its events unasked. */
@Injectable()
export class HeaderSources {
  constructor(
    private readonly current: CurrentAttempt,
    private readonly tracing: EventTracing,
  ) {}

  /** @param trace of the publish; without, the active one. */
  ask(trace?: Context): AddedHeaders {
    return { trace: this.tracing.headers(trace), cause: this.cause() };
  }

  private cause(): Headers {
    const event = this.current.getStore()?.event;
    return event ? { [CORRELATION_ID]: event.correlationId ?? event.id, [CAUSATION_ID]: event.id } : NONE;
  }
}

/** All headers of an event; undefined when there are none. What the application says wins, and a trace that it forwards is kept whole. */
export function allHeaders(applications: Headers | undefined, { trace, cause }: AddedHeaders): Headers | undefined {
  if (!applications) return isEmpty(trace) && isEmpty(cause) ? undefined : { ...trace, ...cause };
  const forwards = propagation.fields().some((field) => Object.hasOwn(applications, field));
  return { ...(forwards ? NONE : trace), ...cause, ...applications };
}

function isEmpty(headers: Headers): boolean {
  for (const _ in headers) return false;
  return true;
}
