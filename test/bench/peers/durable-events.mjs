/** This library, as it comes: history kept, default policies on, one outcome per delivery. */
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Pool } from 'pg';
import { EventPublisher, EventsModule, EventsNode, OnEvent } from '../../../dist/libs/events/index.js';
import { address, BULK, isWorker, measure, names, PAYLOAD, serve } from './workload.mjs';

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

if (isWorker) await serve((onRun) => start(1, onRun));
else {
  const pool = new Pool({ connectionString: address, max: 1 });
  let onRun = () => {};
  const { publisher, node, close } = await start(20, () => onRun());
  await node.pause();
  await measure({
    add: () => publisher.publish('bench-0', PAYLOAD),
    addBulk: (done, handlers) =>
      publisher.publishAll(
        Array.from({ length: BULK }, (_, index) => ({ event: `bench-${(done + index) % handlers}`, payload: PAYLOAD })),
      ),
    async work(_, tell) {
      onRun = tell;
      await node.resume();
      return () => node.pause();
    },
    left: async () => Number((await pool.query('select count(*) n from event_delivery')).rows[0].n),
    async close() {
      await close();
      await pool.end();
    },
  });
}
