import type { Clock } from '../clock/clock.js';
import type { Activity } from '../observability/activity.js';
import { labelsOf } from '../observability/attempt-facts.js';
import type { EventLifecycle } from '../observability/event-lifecycle.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';

/** Counts what runs. What an attempt came to is counted where that is decided. */
export class MetricsMiddleware implements ChainLink {
  readonly name = 'metrics';

  constructor(
    private readonly activity: Activity,
    private readonly lifecycle: EventLifecycle,
    private readonly clock: Clock,
  ) {}

  invoke(attempt: Attempt, next: Next): Promise<void> {
    const activity = this.activity.of(attempt.handler.name);
    activity.inFlight++;
    if (this.lifecycle.wants('started')) {
      const waitMs = Math.max(0, this.clock.now() - attempt.delivery.dueAt);
      this.lifecycle.emit(Object.assign(labelsOf(attempt), { fact: 'started' as const, waitMs }));
    }
    const end = () => void activity.inFlight--;
    const running = next();
    running.then(end, end);
    return running;
  }
}
