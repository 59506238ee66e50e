import { CompletionEntity } from './completion.entity.js';
import { DeadLetterEntity } from './dead-letter.entity.js';
import { DeliveryEntity } from './delivery.entity.js';
import { HandlerEntity } from './handler.entity.js';
import { IdempotencyEntity } from './idempotency.entity.js';
import { InboxEventEntity } from './inbox-event.entity.js';
import { LockEntity } from './lock.entity.js';
import { NodeEntity } from './node.entity.js';
import { RateLimitEntity } from './rate-limit.entity.js';
import { RegistryEntity } from './registry.entity.js';
import { SubscriptionEntity } from './subscription.entity.js';

/** All entities of the engine's DataSource; the connection's `entityPrefix` and `schema` make their names whole. */
export const ENTITIES = [
  CompletionEntity,
  DeadLetterEntity,
  DeliveryEntity,
  HandlerEntity,
  IdempotencyEntity,
  InboxEventEntity,
  LockEntity,
  NodeEntity,
  RateLimitEntity,
  RegistryEntity,
  SubscriptionEntity,
];
