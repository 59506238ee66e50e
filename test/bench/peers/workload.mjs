/** The same work for every system: what is published, how much of it, in which order, and how it is timed. */
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

/** How many jobs a bulk has. */
export const BULK = 500;
const WARM_UP = 10_000;
/** A multiple of `BULK`. */
const EVENTS = Number(process.env.PEERS_EVENTS ?? 30_000);
const SINGLES = 2_000;
const CALLERS = 16;
const LATENCIES = 300;
export const PAYLOAD = { paymentId: 'p-0123456789', amount: 1234.56, currency: 'EUR', note: 'x'.repeat(30) };

/** This program is the worker of another node; it has nothing to measure. */
export const isWorker = process.argv[2] === 'worker';
/** Of the database. */
export const address = process.argv[isWorker ? 3 : 2];

/** `count` handlers, or queues, of the same work. */
export const names = (count) => Array.from({ length: count }, (_, index) => `bench-${index}`);

/**
 * A system to be measured, with what it takes to be run as fast as it can.
 * @typedef {object} System
 * @property {() => Promise<unknown>} add one job for the first handler.
 * @property {(done: number, handlers: number) => Promise<unknown>} addBulk `BULK` jobs after `done` others, for so many
 *   handlers in turn.
 * @property {(handlers: number, onRun: () => void) => Promise<() => Promise<unknown>>} work begins to work, and answers
 *   what ends it.
 * @property {() => Promise<number>} [left] jobs that are not finished; without it, a job that has run is.
 * @property {() => Promise<unknown>} close
 */

/** Measures this program's system, and prints the figures. @param {System} system */
export async function measure({ add, addBulk, work, left = async () => 0, close }) {
  const bulk = async (handlers, events = EVENTS) => {
    for (let done = 0; done < events; done += BULK) await addBulk(done, handlers);
  };
  const drain = async (handlers, jobs) => {
    let runs = 0;
    let stop;
    const drained = await rate(jobs, async () => {
      stop = await work(handlers, () => runs++);
      await until('the drain', () => runs >= jobs);
      await until('its end', async () => (await left()) === 0);
    });
    await stop();
    if (runs !== jobs) throw new Error(`${runs} runs of ${jobs} jobs`);
    return drained;
  };

  // Code that is not compiled yet, and tables that are not in memory yet, are nobody's speed.
  await bulk(1, WARM_UP);
  await drain(1, WARM_UP);
  const publishBulk_s = await rate(EVENTS, () => bulk(1));
  const publish1_s = await rate(SINGLES, () => singles(add));
  const drain_s = await drain(1, EVENTS + SINGLES);
  await bulk(20);
  const drainHandlers20_s = await drain(20, EVENTS);
  const starts = new Starts();
  const stopHere = await work(1, () => starts.begun());
  const { p50: latencyP50Ms, p99: latencyP99Ms } = await latencies(add, starts.next);
  await stopHere();
  const stopElsewhere = await workerProcess(starts);
  const { p50: crossNodeP50Ms } = await latencies(add, starts.next);
  await stopElsewhere();
  await close();
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

/**
 * Lets this program be the worker: it tells the one that measures when a handler begins.
 * @param {(onRun: () => void) => Promise<unknown>} work resolves when it is ready for the first job.
 */
export async function serve(work) {
  await work(() => process.send(String(process.hrtime.bigint())));
  process.send('ready');
}

/** How many times a second. */
async function rate(times, work) {
  const startedAt = performance.now();
  await work();
  return Math.round(times / ((performance.now() - startedAt) / 1_000));
}

/** `CALLERS` at once, each one publish after the other. */
function singles(publish) {
  const caller = async () => {
    for (let i = 0; i < SINGLES / CALLERS; i++) await publish();
  };
  return Promise.all(Array.from({ length: CALLERS }, caller));
}

async function until(what, condition, deadlineMs = 180_000) {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await sleep(2);
  }
}

/** From the call of `publish` to the begin of its handler, one after the other. `started` resolves at the next begin. */
async function latencies(publish, started) {
  const all = [];
  for (let i = 0; i < LATENCIES; i++) {
    const begun = started();
    const calledAt = process.hrtime.bigint();
    await publish();
    all.push(Number((await begun) - calledAt) / 1e6);
  }
  all.sort((a, b) => a - b);
  const at = (share) => Math.round(all[Math.floor(all.length * share)] * 100) / 100;
  return { p50: at(0.5), p99: at(0.99) };
}

/** The clock is the machine's, so another process on it may tell when a handler began. */
class Starts {
  #next = () => {};

  begun(at = process.hrtime.bigint()) {
    this.#next(at);
  }

  next = () => new Promise((resolve) => (this.#next = resolve));
}

/** This very program, as a worker in a process of its own. */
async function workerProcess(starts) {
  const child = fork(process.argv[1], ['worker', ...process.argv.slice(2)]);
  await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the worker ended')));
    child.on('message', (message) => (message === 'ready' ? resolve() : starts.begun(BigInt(message))));
  });
  return async () => {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  };
}
