/** graphile-worker in its batch mode, the fastest it has. It deletes what is done: no history. */
import { makeWorkerUtils, run, Logger } from 'graphile-worker';
import { Pool } from 'pg';
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

const logger = new Logger(() => () => {});

async function start(handlers, onRun) {
  const taskList = Object.fromEntries(names(handlers).map((name) => [name, async () => onRun()]));
  return run({
    taskList,
    noHandleSignals: true,
    preset: {
      worker: {
        connectionString: address,
        concurrentJobs: 24,
        maxPoolSize: 26,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        logger,
      },
    },
  });
}

if (isWorker) {
  await start(1, () => tell(String(process.hrtime.bigint())));
  tell('ready');
} else {
  const pool = new Pool({ connectionString: address, max: 20 });
  const utils = await makeWorkerUtils({ pgPool: pool, preset: { worker: { logger } } });
  await utils.migrate();
  const add = () => utils.addJob('bench-0', PAYLOAD);
  const bulk = async (handlers) => {
    for (let done = 0; done < EVENTS; done += BULK)
      await utils.addJobs(
        Array.from({ length: BULK }, (_, index) => ({
          identifier: `bench-${(done + index) % handlers}`,
          payload: PAYLOAD,
        })),
      );
  };
  const left = async () => Number((await pool.query('select count(*) n from graphile_worker._private_jobs')).rows[0].n);
  const drain = async (handlers) => {
    const jobs = await left();
    let runs = 0;
    let runner;
    const drained = await rate(jobs, async () => {
      runner = await start(handlers, () => runs++);
      await until('the drain', () => runs >= jobs);
      await until('its end', async () => (await left()) === 0);
    });
    await runner.stop();
    if (runs !== jobs) throw new Error(`${runs} runs of ${jobs} jobs`);
    return drained;
  };

  const publishBulk_s = await rate(EVENTS, () => bulk(1));
  const publish1_s = await rate(SINGLES, () => singles(add));
  const drain_s = await drain(1);
  await bulk(20);
  const drainHandlers20_s = await drain(20);
  const starts = new Starts();
  const runner = await start(1, () => starts.begun());
  const { p50: latencyP50Ms, p99: latencyP99Ms } = await latencies(add, starts.next);
  await runner.stop();
  const stop = await workerProcess(import.meta.filename, starts);
  const { p50: crossNodeP50Ms } = await latencies(add, starts.next);
  await stop();
  await utils.release();
  await pool.end();
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
