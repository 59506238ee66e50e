/** Scope: those who listen to a channel that the module has not made its own yet. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Logger } from '@nestjs/common';
import { expect, it, vi } from 'vitest';
import { factChannel } from './fact-channel.js';

it('who subscribed before the module was there is guarded as all others are, and can leave', async () => {
  const name = 'nestjs-durable-events:early';
  const logged = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
  const uncaught = vi.fn();
  process.once('uncaughtException', uncaught);
  const facts: unknown[] = [];
  const fail = () => {
    throw new Error('mine');
  };
  const listener = (fact: unknown) => void facts.push(fact);
  subscribe(name, fail);
  subscribe(name, listener);

  factChannel('early').publish('a fact');
  // An uncaught error comes with the next tick.
  await new Promise((resolve) => setImmediate(resolve));
  process.off('uncaughtException', uncaught);
  expect([facts, uncaught.mock.calls.length, logged.mock.calls.length]).toEqual([['a fact'], 0, 1]);
  logged.mockRestore();

  expect([unsubscribe(name, fail), unsubscribe(name, listener), channel(name).hasSubscribers]).toEqual([
    true,
    true,
    false,
  ]);
});
