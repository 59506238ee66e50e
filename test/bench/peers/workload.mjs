/** The same work for every system: what is published, how much of it, and how it is timed. */
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export const EVENTS = Number(process.env.PEERS_EVENTS ?? 30_000);
export const BULK = 500;
export const SINGLES = 2_000;
export const CALLERS = 16;
export const LATENCIES = 300;
export const PAYLOAD = { paymentId: 'p-0123456789', amount: 1234.56, currency: 'EUR', note: 'x'.repeat(30) };

/** `count` handlers, or queues, of the same work. */
export const names = (count) => Array.from({ length: count }, (_, index) => `bench-${index}`);

/** How many times a second. */
export async function rate(times, work) {
  const startedAt = performance.now();
  await work();
  return Math.round(times / ((performance.now() - startedAt) / 1_000));
}

/** `CALLERS` at once, each one publish after the other. */
export function singles(publish) {
  const caller = async () => {
    for (let i = 0; i < SINGLES / CALLERS; i++) await publish();
  };
  return Promise.all(Array.from({ length: CALLERS }, caller));
}

export async function until(what, condition, deadlineMs = 180_000) {
  const deadline = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await sleep(2);
  }
}

/** From the call of `publish` to the begin of its handler, one after the other. `started` resolves at the next begin. */
export async function latencies(publish, started) {
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
export class Starts {
  #next = () => {};

  begun(at = process.hrtime.bigint()) {
    this.#next(at);
  }

  next = () => new Promise((resolve) => (this.#next = resolve));
}

/** This very program, as a worker in a process of its own. */
export async function workerProcess(file, starts) {
  const child = fork(file, ['worker', ...process.argv.slice(2)]);
  await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`the worker of ${file} ended`)));
    child.on('message', (message) => (message === 'ready' ? resolve() : starts.begun(BigInt(message))));
  });
  return async () => {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  };
}

/** Tells the process that has forked this one. */
export const tell = (message) => process.send(message);

export const isWorker = process.argv[2] === 'worker';
export const address = process.argv[isWorker ? 3 : 2];
