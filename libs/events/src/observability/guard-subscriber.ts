import { stackOf } from '../errors/stack-of.js';
import { EventsLogger } from './events-logger.js';

const logger = new EventsLogger('EventLifecycle');

/** The same subscriber, except that what it throws is logged, the first time, and changes nothing. */
export function guardSubscriber<Args extends unknown[]>(next: (...args: Args) => void): (...args: Args) => void {
  let said = false;
  return (...args) => {
    try {
      next(...args);
    } catch (error) {
      if (!said) logger.error('a subscriber to lifecycle facts failed (said once)', {}, stackOf(error));
      said = true;
    }
  };
}
