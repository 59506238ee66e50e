import type { Channel } from 'node:diagnostics_channel';
import { Injectable } from '@nestjs/common';
import { Observable, Subject, Subscriber, type Observer, type Subscription } from 'rxjs';
import { factChannel } from './fact-channel.js';
import { guardSubscriber } from './guard-subscriber.js';
import { FACT_NAMES, type FactName, type LifecycleFact } from './lifecycle-fact.js';

type Next = (fact: LifecycleFact) => void;

/**
 * What happens in this process's events module, as it happens: `lifecycle.subscribe((fact) => ...)`. The same facts are
 * published on `node:diagnostics_channel`, on `nestjs-durable-events:<fact>` each, for those who are not in the container.
 * Facts that nobody listens to are not even made. What a subscriber throws is logged, and changes nothing (behind
 * operators of rxjs, errors are rxjs's to report).
 */
@Injectable()
export class EventLifecycle extends Observable<LifecycleFact> {
  private readonly facts: Subject<LifecycleFact>;
  private readonly channels: ReadonlyMap<FactName, Channel>;

  constructor() {
    const facts = new Subject<LifecycleFact>();
    super((subscriber) => facts.subscribe(subscriber));
    this.facts = facts;
    this.channels = new Map(FACT_NAMES.map((fact) => [fact, factChannel(fact)] as const));
  }

  /** Whether anybody listens: ask before you make a fact that is made often. */
  wants(fact: FactName): boolean {
    return this.facts.observed || (this.channels.get(fact)?.hasSubscribers ?? false);
  }

  /** Never throws. */
  emit(fact: LifecycleFact): void {
    const channel = this.channels.get(fact.fact);
    if (channel?.hasSubscribers) channel.publish(fact);
    if (this.facts.observed) this.facts.next(fact);
  }

  override subscribe(observerOrNext?: Partial<Observer<LifecycleFact>> | Next | null): Subscription {
    // An operator's: its errors go to whoever subscribes behind it.
    if (observerOrNext instanceof Subscriber) return super.subscribe(observerOrNext);
    const observer = typeof observerOrNext === 'function' ? { next: observerOrNext } : (observerOrNext ?? {});
    return super.subscribe({ ...observer, next: guardSubscriber((fact) => observer.next?.(fact)) });
  }
}
