import { Injectable } from '@nestjs/common';
import { EventLifecycle } from './event-lifecycle.js';
import { EventsLogger } from './events-logger.js';
import { LogStorms } from './log-storms.js';

/** Types that are named in the log before it falls silent about further ones. */
const MOST_NAMED_TYPES = 1_000;

/** Events that no handler wanted: counted, and logged once per type. They are stored, and that is all. */
@Injectable()
export class UnhandledEvents {
  private readonly logger = new EventsLogger('EventsNode');
  private readonly named = new Set<string>();
  /** Since this process started. */
  count = 0;

  constructor(
    private readonly lifecycle: EventLifecycle,
    private readonly storms: LogStorms,
  ) {}

  note(type: string): void {
    this.count++;
    this.lifecycle.emit({ fact: 'unhandled', type });
    if (this.named.has(type) || this.named.size >= MOST_NAMED_TYPES) return;
    const written = this.storms.write(this.logger, {
      level: 'warn',
      kind: 'types of events that no handler subscribes to',
      message: () => `an event of type ${type} was published, but no handler subscribes to it (said once per type)`,
      common: { fact: 'unhandled' },
      fields: { fact: 'unhandled', type },
    });
    if (written) this.named.add(type);
  }
}
