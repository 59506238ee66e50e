// Reads reports of vitest's JSON reporter.
//   report.mjs files <report>            the spec files that failed, one per line
//   report.mjs total <status> <report> [<second>]   prints what passed on its second run, then "N passed, N failed"
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';

const [mode, ...rest] = process.argv.slice(2);
const read = (file) => (file && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {});
const tests = ({ testResults = [] }) =>
  testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map(({ fullName, status }) => ({ id: `${relative('.', name)} > ${fullName}`, status })),
  );

if (mode === 'files') {
  const { testResults = [] } = read(rest[0]);
  for (const { name, status } of testResults) if (status === 'failed') console.log(relative('.', name));
} else {
  const [status, first, second] = rest;
  const again = new Map(tests(read(second)).map(({ id, status }) => [id, status]));
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const { id, status } of tests(read(first))) {
    const recovered = status === 'failed' && again.get(id) === 'passed';
    if (recovered) console.log(`failed, then passed alone: ${id}`);
    if (status === 'passed' || recovered) count.passed++;
    else if (status === 'failed') count.failed++;
    else count.skipped++;
  }
  // Something else than a test has failed.
  if (status !== '0' && count.failed === 0) count.failed = 1;
  console.log(`${count.passed} passed, ${count.failed} failed${count.skipped ? `, ${count.skipped} skipped` : ''}`);
  process.exitCode = count.passed === 0 || count.failed > 0 ? 1 : 0;
}
