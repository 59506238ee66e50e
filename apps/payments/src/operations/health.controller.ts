import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { EventsHealthIndicator } from 'nestjs-durable-events';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly events: EventsHealthIndicator,
  ) {}

  /** Can it do its work? 200 when up or degraded, 503 when down; the body says which handlers suffer. */
  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.events.isHealthy('events')]);
  }

  /** Is the process alive? It does not ask the database: restarting the service would not bring that back. */
  @Get('live')
  live() {
    return { status: 'ok' };
  }
}
