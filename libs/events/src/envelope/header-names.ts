/** Header of the id that all events have in common which go back to one event, or to one request. */
export const CORRELATION_ID = 'correlation-id';
/** Header of the id of the event whose handler published this one. */
export const CAUSATION_ID = 'causation-id';
