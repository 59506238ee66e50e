import type { NodeRecord } from '../../store/records.js';
import type { Dialect } from '../dialect.js';
import { NodeEntity } from '../entities/node.entity.js';
import { select, type Verb } from '../verb.js';

export function listNodes(d: Dialect) {
  return function* (): Verb<NodeRecord[]> {
    const columns = {
      id: 'n.id',
      label: 'n.label',
      host: 'n.host',
      pid: 'n.pid',
      beat: 'n.beat',
      startedAt: 'n.startedAt',
    };
    return yield* select<NodeRecord>(d.source.createQueryBuilder(NodeEntity, 'n').orderBy('n.id'), columns);
  };
}
