import type { SelectQueryBuilder } from 'typeorm';
import type { DeadLetterQuery } from '../../store/dead-letter.store.js';
import type { Dialect } from '../dialect.js';
import { DeadLetterEntity } from '../entities/dead-letter.entity.js';
import { InboxEventEntity } from '../entities/inbox-event.entity.js';

/** The dead letters `d` of a query, with their events `i`. */
export function deadLetters(d: Dialect, query: DeadLetterQuery): SelectQueryBuilder<DeadLetterEntity> {
  const builder = d.source
    .createQueryBuilder(DeadLetterEntity, 'd')
    .innerJoin(InboxEventEntity, 'i', 'i.seq = d.eventSeq');
  const { ids, eventId, eventType, handler, reason, since, until, errorText } = query;
  if (ids) builder.andWhere(d.among('d.id', 'ids'), { ids: d.list(ids) });
  if (eventId !== undefined) builder.andWhere('i.id = :eventId', { eventId });
  if (eventType !== undefined) builder.andWhere('i.type = :eventType', { eventType });
  if (handler !== undefined) builder.andWhere('d.handler = :handler', { handler });
  if (reason !== undefined) builder.andWhere('d.reason = :reason', { reason });
  if (since !== undefined) builder.andWhere('d.deadAt >= :since', { since });
  if (until !== undefined) builder.andWhere('d.deadAt < :until', { until });
  if (errorText !== undefined) {
    const find = d.type === 'postgres' ? 'strpos' : 'instr';
    builder.andWhere(`${find}(d.errors, :errorText) > 0`, { errorText: JSON.stringify(errorText).slice(1, -1) });
  }
  return builder;
}
