import { describe, expect, it } from 'vitest';
import { eventMigrations, eventMigrationSql } from './event-migrations.js';

describe('eventMigrationSql', () => {
  it.each(['postgres', 'better-sqlite3', 'mysql', 'mariadb'] as const)(
    'puts every table of %s under the prefix, and takes each away again',
    (type) => {
      const [{ up, down }] = eventMigrationSql({ type, tablePrefix: 'my_' });
      const tables = (statements: readonly string[], verb: string) =>
        statements
          .flatMap((sql) => new RegExp(`^${verb} table (?:if (?:not )?exists )?["\`](\\w+)["\`]`).exec(sql)?.[1] ?? [])
          .toSorted();
      const made = [
        'my_completion',
        'my_dead_letter',
        'my_delivery',
        'my_handler',
        'my_idempotency',
        'my_inbox',
        'my_lock',
        'my_node',
        'my_rate_limit',
        'my_registry',
        'my_subscription',
      ];
      expect(tables(up, 'create')).toEqual([...made, 'my_migration'].toSorted());
      expect(tables(down, 'drop')).toEqual(made);
      expect(up.join('\n')).not.toContain('event_inbox');
    },
  );

  it('qualifies the tables with the schema', () => {
    const [{ up }] = eventMigrationSql({ type: 'postgres', schema: 'shop' });
    expect(up.filter((sql) => sql.startsWith('create table')).every((sql) => sql.includes('"shop"."event_'))).toBe(
      true,
    );
  });

  it.each([{ tablePrefix: 'a b' }, { tablePrefix: '' }, { schema: 'x"y' }])(
    'refuses names that are no identifiers: %o',
    (names) => {
      expect(() => eventMigrationSql({ type: 'postgres', ...names })).toThrow(
        expect.objectContaining({ code: 'EVENTS_INVALID_OPTION' }),
      );
    },
  );
});

describe('eventMigrations', () => {
  it('names its classes as TypeORM asks: a name that ends in a timestamp', () => {
    const migrations = eventMigrations({ type: 'postgres' }).map((Migration) => new Migration());
    expect(migrations.map(({ name }) => name)).toEqual([
      'DurableEventsInitial1767225600000',
      'DurableEventsInvokerChain1769904000000',
      'DurableEventsLanes1772323200000',
      'DurableEventsDueAt1774742400000',
    ]);
  });
});
