import { AssertionError } from 'node:assert';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { HandlerRegistry } from '../discovery/handler.registry.js';
import { DeliveryRunner } from '../dispatch/delivery-runner.js';
import { DeliveredEvent } from '../envelope/delivered-event.js';
import type { EventMessage } from '../envelope/event-message.js';
import type { EventInput, PayloadOf } from '../envelope/event-payload.js';
import { compilePattern } from '../envelope/event-pattern.js';
import { type DeliveryOutcome, describeOutcome, outcomeOf } from './delivery-outcome.js';
import { Drain, type DrainOptions } from './drain.js';
import { EventFaults } from './faults/event-faults.js';
import type { ManualClock } from './manual-clock.js';
import { mismatches, show } from './mismatch.js';
import { TestWorld } from './test-world.js';

/** What may be expected of an event; what is left out may be anything. */
export type Partially<T> = T extends readonly unknown[]
  ? { readonly [K in keyof T]: Partially<T[K]> }
  : T extends object
    ? { readonly [K in keyof T]?: Partially<T[K]> }
    : T | RegExp;

/** A test's view of the events: moves the time, waits until everything has run, tells what was published and came of it. */
@Injectable()
export class EventsTestKit implements OnApplicationShutdown {
  constructor(
    /** For `EventsTestingModule.forRoot({ joins })`. */
    readonly world: TestWorld,
    readonly faults: EventFaults,
    private readonly handlers: HandlerRegistry,
    private readonly runner: DeliveryRunner,
  ) {
    world.running.add(this.running);
  }

  onApplicationShutdown(): void {
    this.world.running.delete(this.running);
  }

  /** The time of everything here; it stands still until `advance` moves it. */
  get clock(): ManualClock {
    return this.world.clock;
  }

  /**
   * Waits until everything that is due has run; with `advance` also what is not due yet.
   * @throws NotIdleError, naming what waits, when that does not come to an end.
   */
  async drain(options: DrainOptions = {}): Promise<void> {
    await new Drain(this.world, this.handlers, options).run();
  }

  /**
   * The events that were published and committed, oldest first; given an event, a type or a pattern, only those. The
   * library's own, under `events.`, only when they are asked for.
   */
  published<E extends EventInput>(event?: E): EventMessage<PayloadOf<E>>[] {
    const pattern = compilePattern(event === undefined ? '**' : typeOf(event));
    const rows = [...this.world.database.eventsBySeq.values()].filter(({ stored }) => pattern.matches(stored.type));
    return rows.map(({ stored }) => new DeliveredEvent(stored) as EventMessage<PayloadOf<E>>);
  }

  /** What has become of all deliveries, or of one handler's; by event, oldest first. */
  outcomes(handler?: string): DeliveryOutcome[] {
    if (handler !== undefined) this.checkHandler(handler);
    return [...this.world.database.eventsBySeq.values()]
      .flatMap(({ deliveries }) => [...deliveries])
      .filter((row) => handler === undefined || row.handler === handler)
      .map(outcomeOf);
  }

  /**
   * An event of this type was published, with at least these properties in its payload (and, in `about`, of itself).
   * Answers the first.
   * @throws AssertionError that lists what was published instead.
   */
  expectPublished<E extends EventInput>(
    event: E,
    payload?: Partially<PayloadOf<E>>,
    about: Partially<Pick<EventMessage, 'id' | 'version' | 'headers' | 'orderingKey'>> = {},
  ): EventMessage<PayloadOf<E>> {
    const expected = { ...about, ...(payload !== undefined && { payload }) };
    const ofType = this.published(event);
    const found = ofType.find((one) => mismatches(expected, one).length === 0);
    if (found) return found;
    const lines = this.published().map((one) => {
      const wrong = ofType.some(({ id }) => id === one.id) ? mismatches(expected, one) : [];
      return `${one.type} ${one.id} ${show(one.payload)}${wrong.map((text) => `\n    ${text}`).join('')}`;
    });
    throw failure(`${typeOf(event)} was not published with ${show(expected)}`, 'published', lines, expected, ofType);
  }

  /**
   * A delivery of this handler came to this.
   * @throws AssertionError that lists what its deliveries came to.
   */
  expectOutcome(handler: string, expected: Partially<Omit<DeliveryOutcome, 'handler'>>): DeliveryOutcome {
    const all = this.outcomes(handler);
    const found = all.find((one) => mismatches(expected, one).length === 0);
    if (found) return found;
    const lines = all.map(
      (one) =>
        describeOutcome(one) +
        mismatches(expected, one)
          .map((text) => `\n    ${text}`)
          .join(''),
    );
    throw failure(`no delivery of ${handler} is ${show(expected)}`, 'deliveries', lines, expected, all);
  }

  private readonly running = (): number => {
    const running = [...this.runner.running].length;
    // What an injected latency holds up goes on when the clock moves; a crashed node's handlers are nobody's.
    return this.faults.silent ? 0 : Math.max(0, running - this.faults.waiting);
  };

  /** A misspelt name must not pass for a handler without deliveries. */
  private checkHandler(handler: string): void {
    if (this.world.database.registry.get(handler)) return;
    const known = this.world.database.registry.all().map(({ name }) => name);
    throw failure(`there is no handler ${handler}`, 'handlers', known, handler, known);
  }
}

function typeOf(event: EventInput): string {
  return typeof event === 'string' ? event : event.type;
}

function failure(
  what: string,
  listed: string,
  lines: readonly string[],
  expected: unknown,
  actual: unknown,
): AssertionError {
  const list = lines.length === 0 ? `${listed}: none` : `${listed}:\n${lines.map((line) => `  ${line}`).join('\n')}`;
  return new AssertionError({ message: `${what}\n${list}`, expected, actual, operator: 'expect' });
}
