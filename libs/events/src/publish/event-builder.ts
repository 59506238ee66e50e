import { Inject, Injectable } from '@nestjs/common';
import { inspect } from 'node:util';

import { Clock } from '../clock/clock.js';
import { parseDuration } from '../duration.js';
import type { EventDefinition } from '../envelope/event-definition.js';
import { checkEventType } from '../envelope/event-type-name.js';
import { serializePayload } from '../envelope/serialize-payload.js';
import { nameProblem } from '../envelope/storable-text.js';
import { upcastPayload } from '../envelope/upcast-payload.js';
import { validatePayload } from '../envelope/validate-payload.js';
import { InvalidEventError } from '../errors/invalid-event.error.js';
import { EVENTS_OPTIONS } from '../events.module-definition.js';
import type { ResolvedEventsOptions } from '../events.options.interface.js';
import type { NewEvent } from '../store/records.js';
import { newEventId } from './event-id.js';
import { type AddedHeaders, allHeaders, applicationHeaders } from './header-sources.js';
import type { PublishOptions } from './publish.types.js';

/** An event that can be stored; who gets it is asked when it is. */
export type BuiltEvent = Omit<NewEvent, 'deliveries'>;

/** Makes the stored form of an event, and refuses, before anything is written, what could not be stored or handled. */
@Injectable()
export class EventBuilder {
  constructor(
    @Inject(EVENTS_OPTIONS) private readonly options: ResolvedEventsOptions,
    private readonly clock: Clock,
  ) {}

  /** @param added goes with it unasked. @throws InvalidEventError, PayloadValidationError, UpcastError */
  async build(
    event: string | EventDefinition,
    payload: unknown,
    options: PublishOptions,
    added: AddedHeaders,
  ): Promise<BuiltEvent> {
    const definition = typeof event === 'string' ? undefined : event;
    const type = definition ? definition.type : event;
    checkEventType(type);
    const ofVersion = version(options.version ?? definition?.version ?? 1);
    const isCurrent = ofVersion === definition?.version;
    if (isCurrent && definition?.schema) await validatePayload(type, definition.schema, payload);
    const id = key('id', options.id);
    const now = this.clock.now();
    const headers = this.headers(options.headers, added);
    const text = serializePayload(payload);
    this.checkSize('payload', text);
    const shown = definition && ofVersion < definition.version ? await lifted(definition, ofVersion, text) : payload;
    return {
      id: id ?? newEventId(),
      generatedId: id === null,
      type,
      version: ofVersion,
      payload: text,
      headers,
      orderingKey: key('orderingKey', options.orderingKey ?? definition?.orderingKey?.(shown)),
      priority: priority(options.priority),
      occurredAt: moment('occurredAt', options.occurredAt) ?? now,
      availableAt: dueAt(options.delay, now),
    };
  }

  /** What the library adds is small, and must not be what an event is refused for. */
  private headers(options: Record<string, string> | undefined, added: AddedHeaders): string | null {
    const given = applicationHeaders(added.captured, givenHeaders(options));
    const all = allHeaders(given, added);
    if (!all) return null;
    const text = JSON.stringify(all);
    if (given) this.checkSize('headers', all === given ? text : JSON.stringify(given));
    return text;
  }

  private checkSize(field: string, text: string): void {
    const [bytes, most] = [Buffer.byteLength(text), this.options.maxPayloadBytes];
    if (bytes > most) throw new InvalidEventError(field, `has ${bytes} bytes as JSON, but maxPayloadBytes is ${most}`);
  }
}

/**
 * The payload of an older version as its handlers will get it, checked; what is stored stays as it was published. A
 * definition that asks nothing of payloads need not be able to lift it.
 */
async function lifted(definition: EventDefinition, from: number, payload: string): Promise<unknown> {
  const { type, schema, orderingKey } = definition;
  if (!schema && !orderingKey) return undefined;
  const current = await upcastPayload(definition, from, JSON.parse(payload));
  if (schema) await validatePayload(type, schema, current);
  return current;
}

function key(field: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== 'string' || value.length === 0)
    throw new InvalidEventError(field, `must be a text that is not empty, but is ${inspect(value)}`);
  const problem = nameProblem(value);
  if (problem !== undefined) throw new InvalidEventError(field, problem);
  return value;
}

function priority(value: number | undefined): number | null {
  if (value === undefined) return null;
  if (!Number.isInteger(value) || value < 0 || value > 100)
    throw new InvalidEventError('priority', `must be an integer from 0 to 100, but is ${inspect(value)}`);
  return value;
}

function version(value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1)
    throw new InvalidEventError('version', `must be an integer from 1 up, but is ${inspect(value)}`);
  return value;
}

function givenHeaders(value: Record<string, string> | undefined): Record<string, string> | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidEventError('headers', `must be an object of texts, but is ${inspect(value, { depth: 0 })}`);
  }
  for (const [name, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      throw new InvalidEventError(`headers.${name}`, `must be a text, but is ${inspect(text)}`);
  }
  return value;
}

function moment(field: string, value: Date | undefined): number | null {
  if (value === undefined) return null;
  const ms = value instanceof Date ? value.getTime() : NaN;
  if (Number.isNaN(ms)) throw new InvalidEventError(field, `must be a valid Date, but is ${inspect(value)}`);
  return ms;
}

/** Epoch milliseconds of a delay given as a duration or as a moment; a moment that has passed means at once. */
function dueAt(delay: PublishOptions['delay'], now: number): number | null {
  if (delay === undefined) return null;
  if (delay instanceof Date) {
    const ms = moment('delay', delay) as number;
    return ms > now ? ms : null;
  }
  const ms = parseDuration(delay);
  if (ms === undefined || ms > 8.64e15 - now)
    throw new InvalidEventError(
      'delay',
      `must be a duration that is not negative, or a Date, but is ${inspect(delay)}`,
    );
  return ms > 0 ? Math.ceil(now + ms) : null;
}
