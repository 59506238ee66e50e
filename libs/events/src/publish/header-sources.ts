import { Inject, Injectable } from '@nestjs/common';
import { type Context, propagation } from '@opentelemetry/api';
import { CAUSATION_ID, CORRELATION_ID } from '../envelope/header-names.js';
import { ContextCaptureError } from '../errors/context-capture.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import { CurrentAttempt } from '../invoke/current-attempt.js';
import { EventTracing } from '../observability/tracing/event-tracing.js';

type Headers = Readonly<Record<string, string>>;

/** What a publish adds to the headers that its caller gives. */
export interface AddedHeaders {
  /** The trace that it belongs to. */
  readonly trace: Headers;
  /** What caused it. */
  readonly cause: Headers;
  /** What the application's `contextHeaders` captured. */
  readonly captured: Headers;
}

const NONE: Headers = Object.freeze({});

/** Asks, at a publish, for everything that goes with its events unasked. */
@Injectable()
export class HeaderSources {
  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: Pick<ResolvedEventsOptions, 'contextHeaders'>,
    private readonly current: CurrentAttempt,
    private readonly tracing: EventTracing,
  ) {}

  /** @param trace of the publish; without, the active one. @throws ContextCaptureError */
  ask(trace?: Context): AddedHeaders {
    return { trace: this.tracing.headers(trace), cause: this.cause(), captured: this.capture() };
  }

  private cause(): Headers {
    const event = this.current.getStore()?.event;
    return event ? { [CORRELATION_ID]: event.correlationId ?? event.id, [CAUSATION_ID]: event.id } : NONE;
  }

  private capture(): Headers {
    const { contextHeaders } = this.options;
    if (!contextHeaders) return NONE;
    let captured: unknown;
    try {
      captured = contextHeaders.capture();
    } catch (cause) {
      throw new ContextCaptureError('threw', { cause });
    }
    if (typeof captured !== 'object' || captured === null || Array.isArray(captured) || 'then' in captured)
      throw new ContextCaptureError(`must answer an object of texts, at once`);
    for (const [name, value] of Object.entries(captured)) {
      if (typeof value !== 'string') throw new ContextCaptureError(`answered a ${name} that is no text`);
    }
    return captured as Headers;
  }
}

/** All headers of an event; undefined when there are none. What the application says wins, and a trace that it forwards is kept whole. */
export function allHeaders(
  applications: Headers | undefined,
  { trace, cause }: Pick<AddedHeaders, 'trace' | 'cause'>,
): Headers | undefined {
  if (!applications) return isEmpty(trace) && isEmpty(cause) ? undefined : { ...trace, ...cause };
  const forwards = propagation.fields().some((field) => Object.hasOwn(applications, field));
  return { ...(forwards ? NONE : trace), ...cause, ...applications };
}

/** What the application has to say: what its context says, and, over that, what it gives with the event. */
export function applicationHeaders(captured: Headers, given: Headers | undefined): Headers | undefined {
  return isEmpty(captured) ? given : { ...captured, ...given };
}

function isEmpty(headers: Headers): boolean {
  for (const _ in headers) return false;
  return true;
}
