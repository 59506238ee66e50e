import { ChaosRun, isClean } from './chaos-run.js';
import { readChaosOptions } from './chaos.options.js';
import { reportOf, summaryOf } from './report.js';

/**
 * Kills, stops and cuts off the processes of a small cluster for as long as it is told to, and then accounts for every
 * event: `npm run chaos -- --db sqlite|postgres|mariadb [--server own] [--minutes M] [--seconds S] [--seed S] [--json]`.
 */
// So that the processes are ended with this one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  const options = readChaosOptions(process.argv.slice(2));
  if (!options.json) console.log(`${options.db}: ${options.seconds} s of faults, seed ${options.seed} ...`);
  const result = await ChaosRun.of(options);
  if (!isClean(result)) {
    process.exitCode = 1;
    console.error(reportOf(result));
  } else if (!options.json) console.log(reportOf(result));
  console.log(JSON.stringify(summaryOf(result)));
} catch (error) {
  // It could not be run: a flag, a database that is not there, processes that never came up.
  process.exitCode = 2;
  console.error(error instanceof Error ? error.message : String(error));
}
