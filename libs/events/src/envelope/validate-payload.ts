import type { StandardSchemaV1 } from '@standard-schema/spec';
import { PayloadValidationError } from '../errors/payload-validation.error.js';
import { formatPath } from './json-path.js';

/**
 * Checks a payload with its event's schema and answers what the schema makes of it (with its defaults filled in).
 * @throws PayloadValidationError
 */
export async function validatePayload<P>(
  eventType: string,
  schema: StandardSchemaV1<unknown, P>,
  payload: unknown,
): Promise<P> {
  const answer = schema['~standard'].validate(payload);
  const result = answer instanceof Promise ? await answer : answer;
  if (!result.issues) return result.value;
  const issues = result.issues.map(({ path = [], message }) => ({
    path: formatPath(path.map((part) => (typeof part === 'object' ? part.key : part))),
    message,
  }));
  throw new PayloadValidationError(eventType, issues);
}
