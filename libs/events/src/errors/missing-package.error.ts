import { EventsError } from './events.error.js';

/** An option needs an optional peer that is not installed. */
export class MissingPackageError extends EventsError {
  readonly code = 'EVENTS_MISSING_PACKAGE';

  constructor(
    /** The npm package to install. */
    readonly packageName: string,
    /** The option that needs it. */
    readonly option: string,
    options?: ErrorOptions,
  ) {
    super(
      `option ${option} needs the package "${packageName}", which is not installed: npm install ${packageName}`,
      options,
    );
  }
}
