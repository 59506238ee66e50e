/** Scope: what becomes of an attempt whose question to the database fails, and what is said about it. */
import { describe, expect, it, vi } from 'vitest';
import { ChainUnavailableError } from '../errors/chain-unavailable.error.js';
import { ManualClock } from '../testing/manual-clock.js';
import { newAttempt, newHandler } from './attempt.fixture.js';
import { Outage } from './outage.js';

function setUp() {
  const clock = new ManualClock(5_000);
  const logger = { log: vi.fn(), error: vi.fn() };
  const outage = new Outage(clock, logger);
  const attempt = newAttempt(newHandler());
  const guard = (what: string, ask: () => Promise<unknown>) =>
    outage.guard(attempt, what, ask).catch((error: unknown) => error);
  return { attempt, guard, logger };
}

const down = new Error('down');
const fails = () => Promise.reject(down);
const works = () => Promise.resolve('answer');

describe('a question to the database', () => {
  it('that is answered passes the answer on, and says nothing', async () => {
    const { attempt, guard, logger } = setUp();
    expect(await guard('payload', works)).toBe('answer');
    expect([attempt.refusal, logger.log.mock.calls, logger.error.mock.calls]).toEqual([undefined, [], []]);
  });

  it('that fails refuses the attempt for a second: the database’s failure is not the handler’s', async () => {
    const { attempt, guard } = setUp();
    const refused = await guard('rate limit', fails);
    expect(refused).toBeInstanceOf(ChainUnavailableError);
    expect(refused).toMatchObject({ handler: 'h', what: 'rate limit', retryAt: 6_000, cause: down });
    expect(attempt.refusal).toBe(refused);
  });

  it('may throw at once, and anything', async () => {
    const { guard } = setUp();
    const refused = await guard('payload', () => {
      throw 'a text';
    });
    expect(refused).toMatchObject({ code: 'EVENTS_CHAIN_UNAVAILABLE', cause: 'a text' });
  });

  it('that fails is told once for each kind of question, and once when it is answered again', async () => {
    const { guard, logger } = setUp();
    for (let n = 0; n < 3; n++) await guard('payload', fails);
    await guard('rate limit', fails);
    expect(logger.error.mock.calls.map(([line]) => line as string)).toEqual([
      'cannot ask the database for the payload of h: its deliveries are put back until it answers (said once)',
      'cannot ask the database for the rate limit of h: its deliveries are put back until it answers (said once)',
    ]);
    for (let n = 0; n < 3; n++) await guard('payload', works);
    expect(logger.log.mock.calls).toEqual([['the database answers for a payload again', { what: 'payload' }]]);
    await guard('payload', fails);
    await guard('rate limit', fails);
    expect(logger.error).toHaveBeenCalledTimes(3);
  });
});
