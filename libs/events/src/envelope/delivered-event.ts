import { PayloadValidationError } from '../errors/payload-validation.error.js';
import type { StoredEvent } from '../store/records.js';
import { deepFreeze } from './deep-freeze.js';
import { EventMessage } from './event-message.js';
import { CAUSATION_ID, CORRELATION_ID } from './header-names.js';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * A stored event as handlers see it. One object serves all handlers of the event: what they could spoil for each other
 * is frozen (payload, headers) or made anew at each reading (dates). Nothing is parsed before somebody reads it.
 */
export class DeliveredEvent extends EventMessage {
  readonly id: string;
  readonly type: string;
  readonly version: number;
  readonly orderingKey?: string;
  private payloadText: string | null;
  private parsed = false;
  private parsedPayload: unknown;
  private parsedHeaders?: Readonly<Record<string, string>>;

  constructor(private readonly stored: StoredEvent) {
    super();
    this.id = stored.id;
    this.type = stored.type;
    this.version = stored.version;
    this.orderingKey = stored.orderingKey ?? undefined;
    this.payloadText = stored.payload;
  }

  /** An event whose payload is parsed already. */
  static withParsed(stored: StoredEvent, payload: unknown): DeliveredEvent {
    const event = new DeliveredEvent(stored);
    event.settlePayload(payload);
    return event;
  }

  /** @throws PayloadValidationError when another program stored something that is no JSON. */
  get payload(): unknown {
    if (!this.parsed) this.settlePayload(this.parsePayload());
    return this.parsedPayload;
  }

  get headers(): Readonly<Record<string, string>> {
    const { headers } = this.stored;
    this.parsedHeaders ??= headers === null ? NO_HEADERS : deepFreeze(JSON.parse(headers) as Record<string, string>);
    return this.parsedHeaders;
  }

  get correlationId(): string | undefined {
    return this.header(CORRELATION_ID);
  }

  get causationId(): string | undefined {
    return this.header(CAUSATION_ID);
  }

  get occurredAt(): Date {
    return new Date(this.stored.occurredAt);
  }

  get receivedAt(): Date {
    return new Date(this.stored.receivedAt);
  }

  /** Brings the payload that a claim left out because it is large. */
  supply(payloadText: string): void {
    this.payloadText = payloadText;
  }

  /**
   * The same event with the payload that a schema or upcasters made of it, and the version that it has then; the event
   * itself where nothing has changed.
   */
  withPayload(payload: unknown, version = this.version): DeliveredEvent {
    if (payload === this.payload && version === this.version) return this;
    return DeliveredEvent.withParsed(version === this.version ? this.stored : { ...this.stored, version }, payload);
  }

  /** Undefined also where another program has stored something that are no headers. */
  private header(name: string): string | undefined {
    try {
      const value: unknown = this.headers[name];
      return typeof value === 'string' ? value : undefined;
    } catch {
      return undefined;
    }
  }

  private settlePayload(payload: unknown): void {
    this.parsedPayload = deepFreeze(payload);
    this.parsed = true;
  }

  private parsePayload(): unknown {
    if (this.payloadText === null) throw new Error(`the payload of event ${this.id} has not been read from the inbox`);
    try {
      return JSON.parse(this.payloadText);
    } catch {
      // The parser's own message quotes the payload.
      throw new PayloadValidationError(this.type, [{ path: '', message: 'is not JSON' }]);
    }
  }
}
