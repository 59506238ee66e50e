/** BullMQ on a Redis that keeps what Redis keeps: figures for scale, not for the same promise. */
import { Queue, Worker } from 'bullmq';
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

const { hostname: host, port, hash } = new URL(address);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const prefix = hash.slice(1);

function work(handlers, onRun) {
  return names(handlers).map(
    (name) =>
      new Worker(name, async () => onRun(), { connection, prefix, concurrency: 100, removeOnComplete: { count: 0 } }),
  );
}
const closeAll = (workers) => Promise.all(workers.map((worker) => worker.close()));

if (isWorker) {
  const [worker] = work(1, () => tell(String(process.hrtime.bigint())));
  await worker.waitUntilReady();
  tell('ready');
} else {
  const queues = names(20).map((name) => new Queue(name, { connection, prefix }));
  const add = () => queues[0].add('event', PAYLOAD);
  const bulk = async (handlers) => {
    for (let done = 0; done < EVENTS; done += BULK)
      await queues[(done / BULK) % handlers].addBulk(
        Array.from({ length: BULK }, () => ({ name: 'event', data: PAYLOAD })),
      );
  };
  const drain = async (handlers, jobs) => {
    let runs = 0;
    let workers = [];
    const drained = await rate(jobs, async () => {
      workers = work(handlers, () => runs++);
      await until('the drain', () => runs >= jobs);
    });
    await closeAll(workers);
    return drained;
  };

  const publishBulk_s = await rate(EVENTS, () => bulk(1));
  const publish1_s = await rate(SINGLES, () => singles(add));
  const drain_s = await drain(1, EVENTS + SINGLES);
  await bulk(20);
  const drainHandlers20_s = await drain(20, EVENTS);
  const starts = new Starts();
  const workers = work(1, () => starts.begun());
  const { p50: latencyP50Ms, p99: latencyP99Ms } = await latencies(add, starts.next);
  await closeAll(workers);
  const stop = await workerProcess(import.meta.filename, starts);
  const { p50: crossNodeP50Ms } = await latencies(add, starts.next);
  await stop();
  for (const queue of queues) {
    await queue.obliterate({ force: true });
    await queue.close();
  }
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
