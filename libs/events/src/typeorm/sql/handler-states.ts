import type { HandlerState } from '../../store/handler.store.js';
import type { Dialect } from '../dialect.js';
import { query, type Verb } from '../verb.js';
import { CIRCUIT_COLUMNS, type HandlerStateRow, toHandlerState } from './handler-rows.js';

export function handlerStates(d: Dialect) {
  const read = `select name, paused, ordered, ${CIRCUIT_COLUMNS} from ${d.tables.handler} where retired_at is null order by name`;

  return function* (): Verb<HandlerState[]> {
    return (yield* query<HandlerStateRow>(read, [], 'events:handler-states')).map(toHandlerState);
  };
}
