import type { Activity } from '../observability/activity.js';
import type { Attempt } from './attempt.js';
import type { ChainLink, Next } from './chain-link.js';

/** Counts what runs. What an attempt came to is counted where that is decided. */
export class MetricsMiddleware implements ChainLink {
  readonly name = 'metrics';

  constructor(private readonly activity: Activity) {}

  async invoke(attempt: Attempt, next: Next): Promise<void> {
    const activity = this.activity.of(attempt.handler.name);
    activity.inFlight++;
    try {
      await next();
    } finally {
      activity.inFlight--;
    }
  }
}
