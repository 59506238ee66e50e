/** pg-boss, with an outcome for each job, as everybody here has. */
import { PgBoss } from 'pg-boss';
import { address, BULK, isWorker, measure, names, PAYLOAD, serve } from './workload.mjs';

const boss = new PgBoss({
  connectionString: address,
  max: 20,
  supervise: false,
  schedule: false,
  useListenNotify: true,
});
boss.on('error', (error) => console.error(error));

async function work(handlers, onRun) {
  for (const name of names(handlers))
    await boss.work(
      name,
      {
        batchSize: 500,
        perJobResults: true,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
        notifyPollingIntervalSeconds: 0.5,
      },
      async (jobs) => {
        for (const _ of jobs) onRun();
        return jobs.map(({ id }) => ({ id, status: 'completed' }));
      },
    );
}

await boss.start();
if (isWorker) await serve((onRun) => work(1, onRun));
else {
  for (const name of names(20)) await boss.createQueue(name, { notify: true });
  await measure({
    add: () => boss.send('bench-0', PAYLOAD),
    addBulk: (done, handlers) =>
      boss.insert(
        `bench-${(done / BULK) % handlers}`,
        Array.from({ length: BULK }, () => ({ data: PAYLOAD })),
      ),
    async work(handlers, onRun) {
      await work(handlers, onRun);
      return async () => {
        for (const name of names(handlers)) await boss.offWork(name);
      };
    },
    async left() {
      const { rows } = await boss.getDb().executeSql("select count(*) n from pgboss.job where state < 'completed'", []);
      return Number(rows[0].n);
    },
    close: () => boss.stop({ graceful: false }),
  });
}
