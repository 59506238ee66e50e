/** This library, as it comes: history kept, default policies on, one outcome per delivery. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Pool } from 'pg';
import { EventPublisher, EventsModule, EventsNode, OnEvent } from '../../../dist/libs/events/index.js';
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

/** @param handlers how many, each of an event type of its own. */
async function start(handlers, onRun) {
  class Handlers {}
  for (const name of names(handlers)) {
    Handlers.prototype[name] = function () {
      onRun();
    };
    const descriptor = Object.getOwnPropertyDescriptor(Handlers.prototype, name);
    OnEvent(name, { name })(Handlers.prototype, name, descriptor);
  }
  class App {}
  const dataSource = { type: 'postgres', url: address };
  Module({ imports: [EventsModule.forRoot({ dataSource, handlers: handlers > 0 })], providers: [Handlers] })(App);
  const app = await NestFactory.createApplicationContext(App, { logger: ['warn', 'error'] });
  return { publisher: app.get(EventPublisher), node: app.get(EventsNode), close: () => app.close() };
}

if (isWorker) {
  await start(1, () => tell(String(process.hrtime.bigint())));
  tell('ready');
} else {
  const pool = new Pool({ connectionString: address, max: 1 });
  let onRun = () => {};
  const { publisher, node, close } = await start(20, () => onRun());
  await node.pause();
  const publish = () => publisher.publish('bench-0', PAYLOAD);
  const bulk = async (handlers) => {
    for (let done = 0; done < EVENTS; done += BULK)
      await publisher.publishAll(
        Array.from({ length: BULK }, (_, index) => ({ event: `bench-${(done + index) % handlers}`, payload: PAYLOAD })),
      );
  };
  const left = async () => Number((await pool.query('select count(*) n from event_delivery')).rows[0].n);
  const drain = async () => {
    const jobs = await left();
    let runs = 0;
    onRun = () => runs++;
    const drained = await rate(jobs, async () => {
      await node.resume();
      await until('the drain', () => runs >= jobs);
      await until('its end', async () => (await left()) === 0);
    });
    if (runs !== jobs) throw new Error(`${runs} runs of ${jobs} deliveries`);
    return drained;
  };

  const publishBulk_s = await rate(EVENTS, () => bulk(1));
  const publish1_s = await rate(SINGLES, () => singles(publish));
  const drain_s = await drain();
  await node.pause();
  await bulk(20);
  const drainHandlers20_s = await drain();
  const starts = new Starts();
  onRun = () => starts.begun();
  const { p50: latencyP50Ms, p99: latencyP99Ms } = await latencies(publish, starts.next);
  await node.pause();
  const stop = await workerProcess(import.meta.filename, starts);
  const { p50: crossNodeP50Ms } = await latencies(publish, starts.next);
  await stop();
  await close();
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
