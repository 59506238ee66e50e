import type { Tables } from '../tables.js';
import { execute } from '../verb.js';
import { fanOut, RAW_COLUMNS } from './fan-out.js';

export function fanOutPostgres(t: Tables) {
  const deliver = `insert into ${t.delivery} (event_seq, handler, priority, available_at, due_at, ordering_key)
    select seq, handler, priority, available_at, due_at, ordering_key
    from unnest($1::bigint[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[], $6::text[]) with ordinality
      d (seq, handler, priority, available_at, due_at, ordering_key, n)
    order by n`;
  const mark = `update ${t.inbox} set fanned_out_at = $1 where seq = any($2::bigint[])`;

  return fanOut(t, {
    take: `select ${RAW_COLUMNS} from ${t.inbox}
      where fanned_out_at is null order by seq limit $1 for update skip locked`,
    deliver: (deliveries) =>
      execute(deliver, [
        deliveries.map((to) => to.seq),
        deliveries.map((to) => to.handler),
        deliveries.map((to) => to.priority),
        deliveries.map((to) => to.availableAt),
        deliveries.map((to) => to.dueAt),
        deliveries.map((to) => to.orderingKey),
      ]),
    mark: (now, seqs) => execute(mark, [now, seqs]),
  });
}
