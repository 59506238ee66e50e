import { runDemo } from './demo-run.js';
import { say } from './progress.js';
import { summaryTable } from './summary-table.js';

async function main(): Promise<void> {
  const result = await runDemo();
  if (process.argv.includes('--json')) {
    for (const problem of result.problems) say(`NOT as it should be: ${problem}`);
    console.log(JSON.stringify(result.summary));
  } else console.log(summaryTable(result));
  process.exitCode = result.problems.length === 0 ? 0 : 1;
}

main().catch((error: unknown) => {
  say(`the demo failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
