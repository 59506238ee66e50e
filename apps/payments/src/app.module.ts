import { type DynamicModule, Module, StandardSchemaValidationPipe } from '@nestjs/common';
import { APP_PIPE } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule } from '@nestjs/typeorm';
import { EventsModule } from 'nestjs-durable-events';
import { Registry } from 'prom-client';
import { Account } from './accounts/account.entity.js';
import { AccountsController } from './accounts/accounts.controller.js';
import type { AppConfig } from './app.config.js';
import { DownstreamController } from './downstream/downstream.controller.js';
import { Downstream } from './downstream/downstream.service.js';
import { AccountBalanceHandler } from './handlers/account-balance.handler.js';
import { FraudCheckHandler } from './handlers/fraud-check.handler.js';
import { LedgerExportHandler } from './handlers/ledger-export.handler.js';
import { NotifyCustomerHandler } from './handlers/notify-customer.handler.js';
import { LedgerEntry } from './ledger/ledger-entry.entity.js';
import { PartnerReportHandler } from './handlers/partner-report.handler.js';
import { WelcomeGiftHandler } from './handlers/welcome-gift.handler.js';
import { DeadLettersController } from './operations/dead-letters.controller.js';
import { HealthController } from './operations/health.controller.js';
import { MetricsController } from './operations/metrics.controller.js';
import { StatsController } from './operations/stats.controller.js';
import { PartnerController } from './partner/partner.controller.js';
import { Partner } from './partner/partner.service.js';
import { Payment } from './payments/payment.entity.js';
import { PaymentsController } from './payments/payments.controller.js';
import { PaymentsService } from './payments/payments.service.js';

const ENTITIES = [Payment, Account, LedgerEntry];
const HANDLERS = [
  AccountBalanceHandler,
  NotifyCustomerHandler,
  FraudCheckHandler,
  LedgerExportHandler,
  PartnerReportHandler,
  WelcomeGiftHandler,
];

/** Wiring, nothing else. */
@Module({})
export class AppModule {
  static forRoot({ database }: AppConfig): DynamicModule {
    const registry = new Registry();
    return {
      module: AppModule,
      imports: [
        // `synchronize` makes the application's own tables as the entities say: right for a demo, not for production,
        // where migrations do. The events module brings migrations for its tables, and runs them at start.
        TypeOrmModule.forRoot({ ...database, entities: ENTITIES, synchronize: true }),
        TypeOrmModule.forFeature(ENTITIES),
        // Finds the DataSource above by itself, so events and payments share the database and its transactions.
        EventsModule.forRoot({ metrics: { prometheus: registry } }),
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [
        PaymentsController,
        AccountsController,
        DeadLettersController,
        DownstreamController,
        HealthController,
        MetricsController,
        PartnerController,
        StatsController,
      ],
      providers: [
        PaymentsService,
        Downstream,
        Partner,
        { provide: Registry, useValue: registry },
        ...HANDLERS,
        { provide: APP_PIPE, useClass: StandardSchemaValidationPipe },
      ],
    };
  }
}
