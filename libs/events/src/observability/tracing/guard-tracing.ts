import { stackOf } from '../../errors/stack-of.js';
import { EventsLogger } from '../events-logger.js';

const logger = new EventsLogger('EventTracing');
let said = false;

/** Does something with the SDK. What that throws (a sampler, a propagator, a processor) is logged, the first time, and changes nothing. */
export function guardTracing<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!said) logger.error('tracing failed (said once)', {}, stackOf(error));
    said = true;
    return undefined;
  }
}
