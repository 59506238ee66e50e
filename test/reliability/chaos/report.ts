import Table from 'cli-table3';
import type { Finding } from './account/finding.js';
import { commandOf } from './chaos.options.js';
import { type ChaosResult, isClean } from './chaos-run.js';

const MOST_FINDINGS = 30;

/** The last line of a run. */
export function summaryOf(result: ChaosResult) {
  const { options, account, faults, elapsedMs } = result;
  const count = (kind: Finding['kind']) => account.findings.filter((finding) => finding.kind === kind).length;
  return {
    db: options.db,
    seed: options.seed,
    events: account.events,
    deliveries: account.deliveries,
    kills: faults.kill,
    pauses: faults.pause,
    cuts: faults.cut,
    ...(options.server === 'own' ? { restarts: faults.restart } : {}),
    lost: count('lost'),
    phantom: count('phantom'),
    doubleEffects: count('doubleEffects'),
    orderViolations: count('orderViolations'),
    overlapping: count('overlapping'),
    stuck: count('stuck'),
    elapsedMs,
  };
}

/** For people. */
export function reportOf(result: ChaosResult): string {
  const { options, account, faults } = result;
  const summary = summaryOf(result);
  const table = new Table({ head: ['what happened', '', 'what must not', ''], style: { head: [], border: [] } });
  const must: [string, number | string][] = [
    ['committed and not delivered', summary.lost],
    ['rolled back and delivered', summary.phantom],
    ['effects that are not exactly one', summary.doubleEffects],
    ['out of order in a lane', summary.orderViolations],
    ['two runs at once within a lease', summary.overlapping],
    ['stuck', summary.stuck],
    ['processes that ended by themselves, or never', result.crashes.length],
  ];
  const happened: [string, number | string][] = [
    ['events committed', account.events],
    ['transactions rolled back', result.rolledBack],
    ['deliveries', account.deliveries],
    ['runs of handlers', result.runs],
    ['SIGKILL / SIGTERM, and started again', `${faults.kill} / ${faults.terminate}`],
    ['SIGSTOP, then SIGCONT', faults.pause],
    ['database cut off', faults.cut],
    ...(options.server === 'own'
      ? [['database server crashed, and started again', faults.restart] as [string, number]]
      : []),
    ['starts that failed, and were tried again', result.failedStarts],
    ['runs that went on after they were told to stop', account.leaked],
    ['runs of processes silent past their lease', account.outlived],
    ['drained after the last fault in', `${(result.drainMs / 1_000).toFixed(1)} s`],
  ];
  for (const [index, row] of happened.entries()) table.push([...row, ...(must[index] ?? ['', ''])]);
  const title = `${options.db}, ${options.seconds} s of faults, seed ${options.seed}`;
  return [title, table.toString(), isClean(result) ? 'Nothing was lost, nothing was done twice.' : wrong(result)].join(
    '\n',
  );
}

function wrong({ account, crashes, timelines, folder, options }: ChaosResult): string {
  const { findings } = account;
  return [
    ...findings
      .slice(0, MOST_FINDINGS)
      .map(({ kind, event, handler = '', what }) => `${kind}: ${event} ${handler}: ${what}`),
    ...(findings.length > MOST_FINDINGS ? [`... and ${findings.length - MOST_FINDINGS} more`] : []),
    ...crashes,
    ...timelines.flatMap(({ event, lines }) => [`--- ${event}`, ...lines]),
    `Kept for a look: ${folder}`,
    `Again: ${commandOf(options)}`,
  ].join('\n');
}
