/** A program of somebody else's: writes to a SQLite file in short transactions until it is told to stop. */
import Database from 'better-sqlite3';

const database = new Database(process.argv[2], { timeout: 10_000 });
database.exec('create table if not exists elsewhere (n integer primary key)');
const write = database.transaction(() => database.exec('insert into elsewhere default values'));

let stopped = false;
process.on('message', () => (stopped = true));

// The first one is long enough to tell whether somebody who waits for it blocks.
database.exec('begin immediate');
process.send?.('started');
await new Promise((resume) => setTimeout(resume, 500));
database.exec('commit');

for (let written = 0; ; written++) {
  if (stopped) {
    database.close();
    process.send?.(written, () => process.disconnect());
    break;
  }
  write.immediate();
  await new Promise((resume) => setTimeout(resume, 3));
}
