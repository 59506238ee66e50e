import { Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { HandlerActivity } from './handler-activity.js';

/** What this process has done so far, per handler. Memory only: reading it costs no query. */
@Injectable()
export class Activity {
  private readonly handlers = new Map<string, HandlerActivity>();

  constructor(private readonly clock: Clock) {}

  of(handler: string): HandlerActivity {
    let activity = this.handlers.get(handler);
    if (!activity) this.handlers.set(handler, (activity = new HandlerActivity(this.clock)));
    return activity;
  }
}
