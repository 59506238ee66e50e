import { benchApp, perSecond, publishMany, round, timed } from './bench-app.js';
import { onDatabase } from './bench-database.js';
import { until } from './until.js';

export interface IdleSessionFigures {
  readonly events: number;
  readonly alone_s: number;
  readonly withIdleSession_s: number;
  readonly ratio: number;
  readonly exact: boolean;
}

/**
 * The drain on PostgreSQL, alone and while some session (a backup, a report) is idle in a transaction, so that the
 * database must keep every row that is claimed and settled meanwhile.
 */
export async function idleSession(events: number): Promise<IdleSessionFigures> {
  const alone = await drain(events, false);
  const beside = await drain(events, true);
  return {
    events,
    alone_s: alone.perSecond,
    withIdleSession_s: beside.perSecond,
    ratio: round(beside.perSecond / alone.perSecond),
    exact: alone.exact && beside.exact,
  };
}

async function drain(events: number, idle: boolean): Promise<{ perSecond: number; exact: boolean }> {
  return onDatabase('postgres', async (database) => {
    const app = await benchApp({ dataSource: database.options });
    const session = database.source.createQueryRunner();
    try {
      await app.node.pause();
      await publishMany(app, events);
      await database.vacuum();
      if (idle) {
        await session.startTransaction('REPEATABLE READ');
        await session.query('select 1');
      }
      const ms = await timed(async () => {
        await app.node.resume();
        await until('the drain', async () => app.runs >= events && (await database.count('delivery')) === 0);
      });
      const exact = app.runs === events && (await database.count('completion')) === events;
      if (idle) await session.rollbackTransaction();
      return { perSecond: perSecond(events, ms), exact };
    } finally {
      await session.release();
      await app.close();
    }
  });
}
