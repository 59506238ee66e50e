import { Injectable } from '@nestjs/common';
import type { Invocation } from '../../invoke/invocation.js';
import type { EventMiddleware } from '../../invoke/middleware.js';
import { EventFaults } from './event-faults.js';

/** Passes the points round a handler. The last of the application's middleware, so what it throws is like a handler's. */
@Injectable()
export class FaultyHandlers implements EventMiddleware {
  constructor(private readonly faults: EventFaults) {}

  async invoke(_: Invocation, next: () => Promise<void>): Promise<void> {
    await this.faults.pass('before handler');
    await next();
    await this.faults.pass('after handler');
  }
}
