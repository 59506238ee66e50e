import { describe, expect, it } from 'vitest';
import { newClaimed, newSlot } from './slot.fixture.js';

const inLane = (id: number, lane: string | null = 'a') => newClaimed({ id, lane });
const ids = (claimed: readonly { delivery: { id: number } }[]) => claimed.map(({ delivery }) => delivery.id);

function slotWith(...claimed: ReturnType<typeof inLane>[]) {
  const slot = newSlot('h');
  for (const one of claimed) slot.enqueue(one);
  return slot;
}

describe('a slot with lanes', () => {
  it('lets one of each lane begin, the next when that is done, and counts all as held', () => {
    const slot = slotWith(inLane(1), inLane(2), inLane(3, 'b'), inLane(4, null), inLane(5));
    expect([ids(slot.queue), slot.held, ids(slot.waiting)]).toEqual([[1, 3, 4], 5, [1, 3, 4, 2, 5]]);
    const [first] = slot.queue.splice(0, 1);
    slot.advance(first.delivery);
    expect([ids(slot.queue), slot.held]).toEqual([[2, 3, 4], 4]);
  });

  it('gives back the last of lanes first, and everything when nothing is to be kept', () => {
    const slot = slotWith(inLane(1), inLane(2), inLane(3), inLane(4, 'b'), inLane(5, 'b'));
    expect([ids(slot.takeBack(3)), ids(slot.waiting)]).toEqual([
      [2, 3],
      [1, 4, 5],
    ]);
    expect([ids(slot.takeBack(1)), ids(slot.waiting)]).toEqual([[5, 4], [1]]);
    expect([ids(slot.takeBack(0)), slot.held, slot.lanes.has('a')]).toEqual([[1], 0, false]);
  });

  it('breaks off what follows in a lane, and only there', () => {
    const slot = slotWith(inLane(1), inLane(2), inLane(3, 'b'), inLane(4, 'b'));
    expect([ids(slot.lanes.breakOff('a')), slot.held]).toEqual([[2], 3]);
  });

  it('drops one from the middle of a lane; when it is the first, the next may begin', () => {
    const slot = slotWith(inLane(1), inLane(2), inLane(3));
    const dropped = (id: number) => ids(slot.drop(({ delivery }) => delivery.id === id));
    expect([dropped(2), ids(slot.queue), slot.held]).toEqual([[2], [1], 2]);
    expect([dropped(1), ids(slot.queue), slot.held]).toEqual([[1], [3], 1]);
  });
});
