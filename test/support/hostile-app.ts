/** An application whose one handler has a hostile name and gets every event; on a database of its own, or in memory. */
import { Injectable } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { EventInbox, EventMessage, EventPublisher, EventsModule, OnEvent } from 'nestjs-durable-events';
import { DataSource } from 'typeorm';
import { databaseKinds, type OwnDatabase } from './database-kinds.js';

export const HANDLER_NAME = `it's "quoted" \\ %s $1 ? '); drop table event_inbox;--`;

@Injectable()
export class Everything {
  /** What was delivered, by the event's id. */
  readonly seen = new Map<string, EventMessage>();

  @OnEvent('**', { name: HANDLER_NAME, retry: false })
  run(event: EventMessage): void {
    this.seen.set(event.id, event);
  }
}

export interface HostileApp {
  readonly app: TestingModule;
  readonly publisher: EventPublisher;
  readonly inbox: EventInbox;
  readonly seen: Everything['seen'];
  /** Rows of a table; undefined in memory. */
  count(table: string): Promise<number | undefined>;
  close(): Promise<void>;
}

async function open(database: OwnDatabase | undefined): Promise<HostileApp> {
  const where = database ? { dataSource: database.options } : { store: 'memory' as const };
  const app = await Test.createTestingModule({ imports: [EventsModule.forRoot(where)], providers: [Everything] })
    .setLogger(false as never)
    .compile();
  await app.init();
  const watcher = database && (await new DataSource(database.options).initialize());
  return {
    app,
    publisher: app.get(EventPublisher),
    inbox: app.get(EventInbox),
    seen: app.get(Everything).seen,
    count: async (table) => {
      const rows = await watcher?.query<{ n: string | number }[]>(`select count(*) as n from event_${table}`);
      return rows && Number(rows[0]?.n);
    },
    close: async () => {
      await app.close();
      await watcher?.destroy();
      await database?.drop();
    },
  };
}

/** The in-memory store, and every database that can be tested here. */
export const hostileApps: readonly (readonly [name: string, open: () => Promise<HostileApp>])[] = [
  ['memory', () => open(undefined)],
  ...databaseKinds.map((kind) => [kind.name, async () => open(await kind.create())] as const),
];
