import type { Tables } from '../tables.js';
import { each, execute } from '../verb.js';
import { deliverSqlite } from './append.sqlite.js';
import { fanOut, RAW_COLUMNS } from './fan-out.js';

export function fanOutSqlite(t: Tables) {
  const deliver = deliverSqlite(t);
  const mark = `update ${t.inbox} set fanned_out_at = ? where seq in (select value from json_each(?))`;

  return fanOut(t, {
    take: `select ${RAW_COLUMNS} from ${t.inbox} where fanned_out_at is null order by seq limit ?`,
    deliver: (deliveries) =>
      each(
        deliver,
        deliveries.map((to) => [to.seq, to.handler, to.priority, to.availableAt, to.dueAt, to.orderingKey]),
      ),
    mark: (now, seqs) => execute(mark, [now, JSON.stringify(seqs)]),
  });
}
