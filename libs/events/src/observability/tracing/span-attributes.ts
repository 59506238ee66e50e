/**
 * Names of the attributes of spans. Those under `messaging.` and `error.` are OpenTelemetry's semantic conventions for
 * messaging; what these have no word for is under `events.`.
 */
export const ATTRIBUTES = {
  /** `nestjs-durable-events` */
  system: 'messaging.system',
  /** `send` or `process` */
  operationType: 'messaging.operation.type',
  /** `publish` or `process` */
  operationName: 'messaging.operation.name',
  /** The event's type; not of a `publishAll` of several. */
  destination: 'messaging.destination.name',
  /** The event's id. */
  messageId: 'messaging.message.id',
  /** Of `publishAll`: how many events. */
  batchCount: 'messaging.batch.message_count',
  /** The event's correlation id, or the event's own id where it has none. */
  correlationId: 'messaging.message.conversation_id',
  /** The handler's name. */
  handler: 'messaging.consumer.group.name',
  /** Class of the error. */
  errorType: 'error.type',
  /** Id of the event whose handler published this one. */
  causationId: 'events.causation_id',
  /** The inbox had the id already: nothing was stored. */
  duplicate: 'events.duplicate',
  deliveryId: 'events.delivery.id',
  /** From 1. */
  attempt: 'events.attempt',
  /** Milliseconds that the delivery has waited. */
  waitMs: 'events.wait_ms',
  /** The first 16 hexadecimal digits of the SHA-256 of the ordering key, which itself may be anybody's. */
  orderingKeyHash: 'events.ordering_key.hash',
  /** `completed`, `duplicate`, `retry`, `snoozed`, `dead`, `released`, `cancelled` or `lost` */
  outcome: 'events.outcome',
  /** Of `dead`: `exhausted`, `rejected` or `expired`. */
  deadReason: 'events.dead_letter.reason',
} as const;

/** `messaging.system`, and the name of the tracer. */
export const SYSTEM = 'nestjs-durable-events';
