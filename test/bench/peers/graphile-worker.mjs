/** graphile-worker in its batch mode, the fastest it has. It deletes what is done: no history. */
import { makeWorkerUtils, run, Logger } from 'graphile-worker';
import { Pool } from 'pg';
import { address, BULK, isWorker, measure, names, PAYLOAD, serve } from './workload.mjs';

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

if (isWorker) await serve((onRun) => start(1, onRun));
else {
  const pool = new Pool({ connectionString: address, max: 20 });
  const utils = await makeWorkerUtils({ pgPool: pool, preset: { worker: { logger } } });
  await utils.migrate();
  await measure({
    add: () => utils.addJob('bench-0', PAYLOAD),
    addBulk: (done, handlers) =>
      utils.addJobs(
        Array.from({ length: BULK }, (_, index) => ({
          identifier: `bench-${(done + index) % handlers}`,
          payload: PAYLOAD,
        })),
      ),
    async work(handlers, onRun) {
      const runner = await start(handlers, onRun);
      return () => runner.stop();
    },
    left: async () => Number((await pool.query('select count(*) n from graphile_worker._private_jobs')).rows[0].n),
    async close() {
      await utils.release();
      await pool.end();
    },
  });
}
