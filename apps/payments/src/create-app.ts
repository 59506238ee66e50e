import type { INestApplication, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { AppConfig } from './app.config.js';
import { AppModule } from './app.module.js';

/** The service, ready to listen. An error at boot is thrown, for the caller to log and to set the exit code. */
export function createApp(config: AppConfig, logger: NestApplicationOptions['logger']): Promise<INestApplication> {
  return NestFactory.create(AppModule.forRoot(config), {
    logger,
    abortOnError: false,
    // While it shuts down, a new request is answered 503 and its connection ends. Otherwise a client that polls over
    // one connection, as load balancers do, would keep the process alive for ever.
    return503OnClosing: true,
  });
}
