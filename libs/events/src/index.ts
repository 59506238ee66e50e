// Set it up
export { EventsModule } from './events.module.js';
export type { EventsModuleOptions } from './events.options.interface.js';
export type { Duration } from './duration.js';

// Define events
export { defineEvent, type DefineEventOptions } from './envelope/define-event.js';
export type { EventDefinition } from './envelope/event-definition.js';
export type { EventInput, PayloadOf, PublishPayload } from './envelope/event-payload.js';
export type { EventTypes } from './envelope/event-types.js';
export type { DeepReadonly, JsonCompatible, JsonValue } from './envelope/json.types.js';

// Publish them
export { EventPublisher } from './publish/event-publisher.service.js';
export type { PublishOptions, PublishReceipt, PublishRequest as NewEvent } from './publish/publish.types.js';

// Handle them
export { OnEvent, type OnEventDecorator } from './discovery/on-event.decorator.js';
export type {
  BackoffFunction,
  BackoffKind,
  CircuitOptions,
  JitterKind,
  OnEventOptions,
  RetryOptions,
} from './discovery/on-event.options.js';
export { EventMessage } from './envelope/event-message.js';
export { DeliveryContext } from './invoke/delivery-context.js';
export { Invocation } from './invoke/invocation.js';

// Look at them, stop them, bring them back
export { EventInbox, type Delivery, type FailedAttempt } from './publish/event-inbox.service.js';
export {
  DeadLetters,
  type DeadLetter,
  type DeadLetterFilter,
  type DeadLetterPage,
} from './dead-letter/dead-letters.service.js';
export type { DeadReason, DeliveryState } from './store/records.js';

// Operate the node
export { EventsNode, type NodeStatus } from './dispatch/events-node.service.js';
export {
  EventsStats,
  type HandlerStats,
  type StatsCounts,
  type StatsSnapshot,
} from './observability/events-stats.service.js';
export { EventsHealthIndicator, type EventsHealthOptions } from './health/events-health.indicator.js';
export type { HealthState } from './health/health-state.js';
export { Clock, type TimerHandle } from './clock/clock.js';

// Run the migrations by hand
export {
  eventMigrations,
  eventMigrationSql,
  type EventMigrationOptions,
  type EventMigrationSql,
} from './typeorm/migrations/event-migrations.js';

// Errors
export { EventsError } from './errors/events.error.js';
export { PermanentError } from './errors/permanent.error.js';
export { RetryableError } from './errors/retryable.error.js';
export { AttemptAbortedError, type AbortCause } from './errors/attempt-aborted.error.js';
export { CircuitOpenError } from './errors/circuit-open.error.js';
export { DataSourceNotReadyError } from './errors/data-source-not-ready.error.js';
export { DuplicateHandlerError } from './errors/duplicate-handler.error.js';
export { DuplicateModuleError } from './errors/duplicate-module.error.js';
export { EmptyFilterError } from './errors/empty-filter.error.js';
export { ForeignManagerError } from './errors/foreign-manager.error.js';
export { HandlerTimeoutError } from './errors/handler-timeout.error.js';
export { InvalidEventError } from './errors/invalid-event.error.js';
export { InvalidHandlerError } from './errors/invalid-handler.error.js';
export { InvalidOptionError } from './errors/invalid-option.error.js';
export { InvalidPatternError } from './errors/invalid-pattern.error.js';
export { LeaseLostError } from './errors/lease-lost.error.js';
export { MissingDriverError } from './errors/missing-driver.error.js';
export { NoTransactionError } from './errors/no-transaction.error.js';
export { PayloadValidationError, type PayloadIssue } from './errors/payload-validation.error.js';
export { SchemaBehindError } from './errors/schema-behind.error.js';
export { StoreBusyError } from './errors/store-busy.error.js';
export { TransactionLeftOpenError } from './errors/transaction-left-open.error.js';
export { TransactionReusedError } from './errors/transaction-reused.error.js';
export { TransactionTimeoutError } from './errors/transaction-timeout.error.js';
export { UnsupportedDatabaseError } from './errors/unsupported-database.error.js';

// Errors of the in-memory store
export { DeadlockError } from './errors/deadlock.error.js';
export { NoDatabaseError } from './errors/no-database.error.js';
