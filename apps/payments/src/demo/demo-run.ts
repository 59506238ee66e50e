import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery } from 'nestjs-durable-events';
import type { DemoResult } from './demo-result.js';
import { answered, balanceProblems, BUSIEST_SECOND_ALLOWED, inState, metricProblems, problemsOf } from './findings.js';
import { HealthWatch } from './health-watch.js';
import { inParallel } from './in-parallel.js';
import { expectationOf, readLines } from './payments-file.js';
import { say, withProgress } from './progress.js';
import { type Answer, ServiceClient } from './service-client.js';
import { ServiceProcess } from './service-process.js';
import { waitFor } from './wait.js';

/** Relative to the project's root, where npm runs its scripts. */
const PAYMENTS_FILE = 'apps/payments/data/payments.ndjson';
const REQUESTS_AT_ONCE = 8;
/** The message service goes down when this share of the payments is sent ... */
const OUTAGE_AT = 0.3;
/** ... for at least this long ... */
const OUTAGE_MS = 1_500;
/** ... and until its circuit was seen open, at most this much longer. */
const CIRCUIT_OPENS_WITHIN_MS = 10_000;
const START_WITHIN_MS = 30_000;
const SETTLE_WITHIN_MS = 60_000;

/** The whole demo: from starting the service to its exit. Nothing of it is left behind, however it ends. */
export async function runDemo(): Promise<DemoResult> {
  const startedAt = performance.now();
  const lines = readLines(PAYMENTS_FILE);
  const service = await ServiceProcess.start();
  const interrupt = () => {
    service.dispose();
    process.exit(1);
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const client = new ServiceClient(service.url);
    await waitFor('the service answers', START_WITHIN_MS, async () => {
      if (!service.running) throw new Error('the service ended while it started');
      return (await client.alive()) || undefined;
    });
    say(`service is up at ${service.url}`);
    return await payAndCheck(service, client, lines, startedAt);
  } catch (error) {
    say(`--- last lines of the service's log\n${service.lastWords}\n---`);
    throw error;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    service.dispose();
  }
}

async function payAndCheck(
  service: ServiceProcess,
  client: ServiceClient,
  lines: readonly string[],
  startedAt: number,
): Promise<DemoResult> {
  const watch = new HealthWatch(client);
  try {
    const answers = await sendAll(client, watch, lines);
    const accepted = lines.filter((_, index) => answers[index]?.status === 202).map(paymentIdOf);
    await settle(client, accepted.length);
    const deliveries = await deliveriesOf(client, accepted);
    const balances = await client.accounts();
    const stats = await client.stats();
    const metrics = await client.metrics();
    const partner = await client.partner();
    await watch.stop();
    const ended = await service.stop();

    const expected = expectationOf(lines);
    const { retried, snoozed, circuitOpened } = stats.total;
    return {
      summary: {
        sent: answers.length,
        accepted: accepted.length,
        duplicates: answered(answers, 200),
        refused: answered(answers, 400),
        deliveries: deliveries.length,
        completed: inState(deliveries, 'completed'),
        retried,
        dead: inState(deliveries, 'dead'),
        snoozed,
        rateLimited: stats.handlers['partner-report']?.snoozed ?? 0,
        busiestSecond: partner.busiestSecond,
        busiestSecondAllowed: BUSIEST_SECOND_ALLOWED,
        gifts: stats.handlers['welcome-gift']?.completed ?? 0,
        giftDuplicates: inState(deliveries, 'duplicate'),
        circuitOpened,
        balancesMatch: balanceProblems(balances, expected.balances).length === 0,
        metricsAgree: metricProblems({ metrics, answers, deliveries, stats }).length === 0,
        health: watch.states,
        elapsedMs: Math.round(performance.now() - startedAt),
      },
      expected,
      handlers: stats.handlers,
      refusals: answers.filter(({ status }) => status === 400).flatMap(({ body }) => body.message ?? []),
      problems: problemsOf(
        {
          answers,
          deliveries,
          stats,
          metrics,
          balances,
          partner,
          healthStates: watch.states,
          healthFailures: watch.failures,
          ended,
        },
        expected,
      ),
    };
  } finally {
    await watch.stop();
  }
}

/** Sends every line; on the way the message service goes down and up again. */
async function sendAll(client: ServiceClient, watch: HealthWatch, lines: readonly string[]): Promise<Answer[]> {
  const answers: Answer[] = Array.from({ length: lines.length });
  const outageAt = Math.floor(lines.length * OUTAGE_AT);
  let sent = 0;
  await withProgress('payments sent', lines.length, (update) => {
    let beginOutage = () => {};
    const outage = new Promise<void>((resolve) => {
      beginOutage = resolve;
    }).then(() => takeDownAndUp(client, watch));
    const sending = inParallel([...lines.entries()], REQUESTS_AT_ONCE, async ([index, line]) => {
      if (index === outageAt) beginOutage();
      answers[index] = await client.pay(line);
      update(++sent);
    });
    return Promise.all([sending, outage]);
  });
  return answers;
}

async function takeDownAndUp(client: ServiceClient, watch: HealthWatch): Promise<void> {
  await client.switchDownstream('down');
  await sleep(OUTAGE_MS);
  await waitFor('/health says circuit-open', CIRCUIT_OPENS_WITHIN_MS, () =>
    Promise.resolve(watch.states.includes('circuit-open') || undefined),
  );
  await client.switchDownstream('up');
}

/** Waits until every delivery has completed or died, and every circuit is closed again. */
async function settle(client: ServiceClient, payments: number): Promise<void> {
  const { handlers } = await client.stats();
  const deliveries = payments * Object.keys(handlers).length;
  await withProgress('deliveries settled', deliveries, (update) =>
    waitFor('all deliveries are settled', SETTLE_WITHIN_MS, async () => {
      const { total, handlers } = await client.stats();
      const settled = total.completed + total.duplicates + total.dead;
      update(settled);
      const closed = Object.values(handlers).every(({ circuit }) => circuit === 'closed');
      return (settled >= deliveries && closed) || undefined;
    }),
  );
}

/** What the service says became of each payment. */
async function deliveriesOf(client: ServiceClient, paymentIds: readonly string[]): Promise<Delivery[]> {
  const found: Delivery[] = [];
  let done = 0;
  await withProgress('payments looked up', paymentIds.length, (update) =>
    inParallel(paymentIds, REQUESTS_AT_ONCE, async (id) => {
      found.push(...(await client.deliveries(id)));
      update(++done);
    }),
  );
  return found;
}

function paymentIdOf(line: string): string {
  return (JSON.parse(line) as { paymentId: string }).paymentId;
}
