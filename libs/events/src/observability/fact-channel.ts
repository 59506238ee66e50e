import { channel, type Channel } from 'node:diagnostics_channel';
import { guardSubscriber } from './guard-subscriber.js';

type Listener = Parameters<Channel['subscribe']>[0];

const channels = new Map<string, Channel>();

/**
 * The diagnostics channel of a fact. Its subscribers may throw: on others, Node ends the process for that. Channels are
 * Node's, and found by name, so what changes is the channel itself.
 */
export function factChannel(fact: string): Channel {
  const name = `nestjs-durable-events:${fact}`;
  let facts = channels.get(name);
  if (!facts) channels.set(name, (facts = guarded(channel(name))));
  return facts;
}

function guarded(facts: Channel): Channel {
  const guards = new WeakMap<Listener, Listener>();
  const guardOf = (listener: Listener): Listener => {
    let guard = guards.get(listener);
    if (!guard) {
      guard = guardSubscriber(listener);
      guards.set(listener, guard);
      // The first subscription gives a channel another prototype, and subscribes again, with the guard.
      guards.set(guard, guard);
    }
    return guard;
  };
  const inherited = () => Object.getPrototypeOf(facts) as Channel;
  facts.subscribe = (listener) => inherited().subscribe.call(facts, guardOf(listener));
  facts.unsubscribe = (listener) => inherited().unsubscribe.call(facts, guardOf(listener));
  // Who came before the module did: monitoring starts first. Node has no public way to ask who that is.
  const { _subscribers: early = [] } = facts as { _subscribers?: readonly Listener[] };
  for (const listener of early.slice()) {
    inherited().unsubscribe.call(facts, listener);
    facts.subscribe(listener);
  }
  return facts;
}
