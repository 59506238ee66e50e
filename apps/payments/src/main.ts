import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { readConfig } from './app.config.js';

const logger = new ConsoleLogger({ json: true });

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const app = await NestFactory.create(AppModule.forRoot(config), { logger, abortOnError: false });
  // SIGTERM: no new requests, running handlers end, the rest is given back, exit code 0.
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(config.port);
  logger.log(`listening on ${await app.getUrl()}`, 'Main');
}

main().catch((error: unknown) => {
  logger.fatal(
    error instanceof Error ? error.message : error,
    error instanceof Error ? error.stack : undefined,
    'Main',
  );
  process.exit(1);
});
