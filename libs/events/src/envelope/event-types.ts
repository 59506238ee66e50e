/**
 * Merge your event types into this interface and the string form of `@OnEvent` and `publish` becomes type-safe:
 *
 * ```ts
 * declare module 'nestjs-durable-events' {
 *   interface EventTypes { 'payment.processed': PaymentProcessed }
 * }
 * ```
 */
// oxlint-disable-next-line typescript/no-empty-interface -- users merge into it
export interface EventTypes {}
