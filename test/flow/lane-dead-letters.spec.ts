/** Scope: what a dead letter does to its lane, on a clock that stands still. */
import { DeadLetters, type DeliveryContext, PermanentError } from 'nestjs-durable-events';
import { afterEach, describe, expect, it } from 'vitest';
import { closeManualApps, manualApp } from '../support/manual-app.js';
import { orderedHandler, publishSteps, type Work } from '../support/ordered-handler.js';

afterEach(closeManualApps);

describe('a dead letter', () => {
  const dies: Work = (n) => {
    if (n === 1) throw new PermanentError('never');
  };

  it('blocks its lane, and no other, until it is discarded', async () => {
    const { Ordered, told } = orderedHandler(dies);
    const manual = await manualApp([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
      ['b', 3],
    ]);
    await manual.clock.advance(60_000);
    expect(told).toEqual(['a1', 'b3']);
    await manual.app.get(DeadLetters).discard({ handler: 'ordered' });
    await manual.clock.advance(0);
    expect(told).toEqual(['a1', 'b3', 'a2']);
  });

  it('is redriven before what it blocks', async () => {
    let dead = true;
    const { Ordered, told } = orderedHandler((n) => dead && dies(n, {} as DeliveryContext));
    const manual = await manualApp([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
    ]);
    await manual.clock.advance(60_000);
    dead = false;
    await publishSteps(manual, [['a', 3]]);
    await manual.app.get(DeadLetters).redrive({ handler: 'ordered' });
    await manual.clock.advance(0);
    expect(told).toEqual(['a1', 'a1', 'a2', 'a3']);
  });

  it('is passed over with `skip`, after all its attempts', async () => {
    const work: Work = (n) => {
      if (n === 1) throw new Error('no');
    };
    const { Ordered, told } = orderedHandler(work, { ordering: { onDeadLetter: 'skip' } });
    const manual = await manualApp([Ordered]);
    await publishSteps(manual, [
      ['a', 1],
      ['a', 2],
    ]);
    await manual.clock.advance(999);
    expect(told).toEqual(['a1']);
    await manual.clock.advance(1);
    expect(told).toEqual(['a1', 'a1', 'a2']);
  });
});
