import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { EventsHealthIndicator } from 'nestjs-durable-events';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly events: EventsHealthIndicator,
  ) {}

  /** Everything that can be said: 200 when up or degraded, 503 when down; the body says which handlers suffer. */
  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.events.isHealthy('events')]);
  }

  /** Can it do its work now? Payments that nobody has looked at for ten minutes degrade it: somebody should look. */
  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.events.readiness('events', { maxLag: { 'fraud-check': '10m' } })]);
  }

  /** Would a restart help? It does not ask the database: restarting the service would not bring that back. */
  @Get('live')
  @HealthCheck()
  live() {
    return this.health.check([() => this.events.liveness('events')]);
  }
}
