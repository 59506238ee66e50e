import { StoreUnavailableError } from './store-unavailable.error.js';

/** Another transaction held a lock for longer than this one waits: on an ordering key, or an id that is not committed yet. Nothing was stored. */
export class LockTimeoutError extends StoreUnavailableError {}
