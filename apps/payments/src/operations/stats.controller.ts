import { Controller, Get } from '@nestjs/common';
import { EventsStats } from 'nestjs-durable-events';

@Controller('stats')
export class StatsController {
  constructor(private readonly stats: EventsStats) {}

  /** What this process has done since it started, per handler and in total. */
  @Get()
  snapshot() {
    return this.stats.snapshot();
  }
}
