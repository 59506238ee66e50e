import type { Tables } from '../tables.js';
import { execute } from '../verb.js';
import { deliverMysql } from './append.mysql.js';
import { fanOut, RAW_COLUMNS } from './fan-out.js';

export function fanOutMysql(t: Tables) {
  const hint = 'force index (raw)';
  const deliver = deliverMysql(t);
  const mark = `update ${t.inbox} set fanned_out_at = ? where seq in (?)`;

  return fanOut(t, {
    hint,
    take: `select ${RAW_COLUMNS} from ${t.inbox} ${hint}
      where fanned_out_at is null order by seq limit ? for update skip locked`,
    deliver: (deliveries) =>
      execute(deliver, [
        deliveries.map((to) => [to.seq, to.handler, to.priority, to.availableAt, to.dueAt, to.orderingKey]),
      ]),
    mark: (now, seqs) => execute(mark, [now, seqs]),
  });
}
