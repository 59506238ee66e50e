// Set it up
export { EventsModule } from './events.module.js';
export type { EventsModuleOptions } from './events.options.interface.js';
export type { Duration } from './duration.js';

// Define events
export { defineEvent, type DefineEventOptions } from './envelope/define-event.js';
export type { EventDefinition, Upcaster } from './envelope/event-definition.js';
export type { EventInput, PayloadOf, PublishPayload } from './envelope/event-payload.js';
export type { EventTypes } from './envelope/event-types.js';
export type { DeepReadonly, JsonCompatible, JsonValue } from './envelope/json.types.js';

// Publish them
export { EventPublisher } from './publish/event-publisher.service.js';
export type { PublishOptions, PublishReceipt, PublishRequest as NewEvent } from './publish/publish.types.js';

// Handle them
export { OnEvent, type OnEventDecorator } from './discovery/on-event.decorator.js';
export { OnDeadLetter, type OnDeadLetterDecorator } from './discovery/on-dead-letter.decorator.js';
export type {
  BackoffFunction,
  BackoffKind,
  CircuitOptions,
  IdempotencyOptions,
  OrderingOptions,
  JitterKind,
  OnEventOptions,
  RateLimitOptions,
  RetryOptions,
} from './discovery/on-event.options.js';
export { EventMessage } from './envelope/event-message.js';
export { DeliveryContext } from './invoke/delivery-context.js';
export { Invocation } from './invoke/invocation.js';
export type { EventMiddleware } from './invoke/middleware.js';
export type { ContextHeaders } from './invoke/context-headers.js';
export type { ErrorInfo, ErrorReporter } from './observability/error-reporter.js';

// Look at them, stop them, bring them back
export { EventInbox, type Delivery, type FailedAttempt } from './publish/event-inbox.service.js';
export {
  DeadLetters,
  type DeadLetterFilter,
  type DeadLetterPage,
  type RedriveOptions,
} from './dead-letter/dead-letters.service.js';
export type { DeadLetter } from './dead-letter/dead-letter.js';
export { EventHandlerRegistry, type HandlerInfo } from './discovery/event-handler-registry.service.js';
export { EventInvoker, type InvocationResult, type InvokeOptions } from './dispatch/event-invoker.service.js';
export type { DeadReason, DeliveryState } from './store/records.js';

// Operate the node
export { EventsNode } from './dispatch/events-node.service.js';
export type { NodeStatus } from './dispatch/node-status.js';
export {
  EventsStats,
  type HandlerStats,
  type StatsCounts,
  type StatsSnapshot,
} from './observability/events-stats.service.js';
export { EventLifecycle } from './observability/event-lifecycle.js';
export type { PrometheusRegistry } from './observability/metrics/prometheus-registry.js';
export type {
  DeliveryLabels,
  FactName,
  LifecycleFact,
  LifecycleFacts,
  SnoozeReason,
} from './observability/lifecycle-fact.js';
export { EventsHealthIndicator } from './health/events-health.indicator.js';
export type { EventsHealthOptions } from './health/health-options.js';
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
export { RefusedError } from './errors/refused.error.js';
export { AttemptAbortedError, type AbortCause } from './errors/attempt-aborted.error.js';
export { ChainUnavailableError } from './errors/chain-unavailable.error.js';
export { CircuitOpenError } from './errors/circuit-open.error.js';
export { ContextCaptureError } from './errors/context-capture.error.js';
export { ContextRestoreError } from './errors/context-restore.error.js';
export { DataSourceNotReadyError } from './errors/data-source-not-ready.error.js';
export { DuplicateHandlerError } from './errors/duplicate-handler.error.js';
export { DuplicateModuleError } from './errors/duplicate-module.error.js';
export { EmptyFilterError } from './errors/empty-filter.error.js';
export { ForeignManagerError } from './errors/foreign-manager.error.js';
export { HandlerTimeoutError } from './errors/handler-timeout.error.js';
export { InvalidEventError } from './errors/invalid-event.error.js';
export { InvalidHandlerError } from './errors/invalid-handler.error.js';
export { InvalidKeyError } from './errors/invalid-key.error.js';
export { InvalidOptionError } from './errors/invalid-option.error.js';
export { InvalidPatternError } from './errors/invalid-pattern.error.js';
export { KeyBusyError } from './errors/key-busy.error.js';
export { LeaseLostError } from './errors/lease-lost.error.js';
export { LockTimeoutError } from './errors/lock-timeout.error.js';
export { MissingDriverError } from './errors/missing-driver.error.js';
export { MissingPackageError } from './errors/missing-package.error.js';
export { NewerVersionError } from './errors/newer-version.error.js';
export { NodeLostError } from './errors/node-lost.error.js';
export { NoTransactionError } from './errors/no-transaction.error.js';
export { OutcomeRefusedError } from './errors/outcome-refused.error.js';
export { PayloadValidationError, type PayloadIssue } from './errors/payload-validation.error.js';
export { RateLimitedError } from './errors/rate-limited.error.js';
export { SchemaBehindError } from './errors/schema-behind.error.js';
export { StoreBusyError } from './errors/store-busy.error.js';
export { StoreUnavailableError } from './errors/store-unavailable.error.js';
export { TransactionLeftOpenError } from './errors/transaction-left-open.error.js';
export { TransactionReusedError } from './errors/transaction-reused.error.js';
export { TransactionTimeoutError } from './errors/transaction-timeout.error.js';
export { UnknownHandlerError } from './errors/unknown-handler.error.js';
export { UnsupportedDatabaseError } from './errors/unsupported-database.error.js';
export { UpcastError } from './errors/upcast.error.js';

// Errors of the in-memory store
export { DeadlockError } from './errors/deadlock.error.js';
export { NoDatabaseError } from './errors/no-database.error.js';
