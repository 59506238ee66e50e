/** BullMQ on a Redis that keeps what Redis keeps: figures for scale, not for the same promise. */
import { Queue, Worker } from 'bullmq';
import { address, BULK, isWorker, measure, names, PAYLOAD, serve } from './workload.mjs';

const { hostname: host, port, hash } = new URL(address);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const prefix = hash.slice(1);

function work(handlers, onRun) {
  return names(handlers).map(
    (name) =>
      new Worker(name, async () => onRun(), { connection, prefix, concurrency: 100, removeOnComplete: { count: 0 } }),
  );
}

if (isWorker) await serve((onRun) => work(1, onRun)[0].waitUntilReady());
else {
  const queues = names(20).map((name) => new Queue(name, { connection, prefix }));
  await measure({
    add: () => queues[0].add('event', PAYLOAD),
    addBulk: (done, handlers) =>
      queues[(done / BULK) % handlers].addBulk(Array.from({ length: BULK }, () => ({ name: 'event', data: PAYLOAD }))),
    async work(handlers, onRun) {
      const workers = work(handlers, onRun);
      return () => Promise.all(workers.map((worker) => worker.close()));
    },
    async close() {
      for (const queue of queues) {
        await queue.obliterate({ force: true });
        await queue.close();
      }
    },
  });
}
