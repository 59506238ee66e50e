/** pg-boss, with an outcome for each job, as everybody here has. */
import { PgBoss } from 'pg-boss';
import {
  address,
  BULK,
  EVENTS,
  isWorker,
  latencies,
  names,
  PAYLOAD,
  rate,
  singles,
  SINGLES,
  Starts,
  tell,
  until,
  workerProcess,
} from './workload.mjs';

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
if (isWorker) {
  await work(1, () => tell(String(process.hrtime.bigint())));
  tell('ready');
} else {
  for (const name of names(20)) await boss.createQueue(name, { notify: true });
  const send = () => boss.send('bench-0', PAYLOAD);
  const bulk = async (handlers) => {
    for (let done = 0; done < EVENTS; done += BULK)
      await boss.insert(
        `bench-${(done / BULK) % handlers}`,
        Array.from({ length: BULK }, () => ({ data: PAYLOAD })),
      );
  };
  const left = async () => {
    const { rows } = await boss.getDb().executeSql("select count(*) n from pgboss.job where state < 'completed'", []);
    return Number(rows[0].n);
  };
  const drain = async (handlers) => {
    const jobs = await left();
    let runs = 0;
    const drained = await rate(jobs, async () => {
      await work(handlers, () => runs++);
      await until('the drain', () => runs >= jobs);
      await until('its end', async () => (await left()) === 0);
    });
    for (const name of names(handlers)) await boss.offWork(name);
    if (runs !== jobs) throw new Error(`${runs} runs of ${jobs} jobs`);
    return drained;
  };

  const publishBulk_s = await rate(EVENTS, () => bulk(1));
  const publish1_s = await rate(SINGLES, () => singles(send));
  const drain_s = await drain(1);
  await bulk(20);
  const drainHandlers20_s = await drain(20);
  const starts = new Starts();
  await work(1, () => starts.begun());
  const { p50: latencyP50Ms, p99: latencyP99Ms } = await latencies(send, starts.next);
  await boss.offWork('bench-0');
  const stop = await workerProcess(import.meta.filename, starts);
  const { p50: crossNodeP50Ms } = await latencies(send, starts.next);
  await stop();
  await boss.stop({ graceful: false });
  console.log(
    JSON.stringify({
      publish1_s,
      publishBulk_s,
      drain_s,
      drainHandlers20_s,
      latencyP50Ms,
      latencyP99Ms,
      crossNodeP50Ms,
    }),
  );
}
