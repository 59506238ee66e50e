import { ConsoleLogger } from '@nestjs/common';
import { readConfig } from './app.config.js';
import { createApp } from './create-app.js';
import { printTraces } from './print-traces.js';

const logger = new ConsoleLogger({ json: true });

async function main(): Promise<void> {
  const config = readConfig(process.env);
  if (config.traces === 'console') printTraces();
  const app = await createApp(config, logger);
  // SIGTERM: new requests are answered 503, running ones and running handlers end, exit code 0.
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
