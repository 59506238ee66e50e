import { describe, expect, it } from 'vitest';
import { handlerHealth, nodeHealth, type HealthState } from './health-state.js';

const well = { circuit: 'closed', failing: false, paused: false } as const;

describe('health of a handler', () => {
  it.each([
    [well, 'healthy'],
    [{ ...well, failing: true }, 'degraded'],
    [{ ...well, paused: true }, 'degraded'],
    [{ ...well, circuit: 'half-open' as const }, 'degraded'],
    [{ ...well, circuit: 'open' as const }, 'circuit-open'],
    [{ circuit: 'open' as const, failing: true, paused: true }, 'circuit-open'],
  ])('%j is %s', (handler, state) => {
    expect(handlerHealth(handler)).toBe(state);
  });
});

describe('health of a node', () => {
  const states = (healthy: number, degraded: number): HealthState[] => [
    ...Array<HealthState>(healthy).fill('healthy'),
    ...Array<HealthState>(degraded).fill('degraded'),
  ];

  it.each([
    [0, 0, 'healthy'],
    [5, 0, 'healthy'],
    [4, 1, 'healthy'],
    [79, 21, 'degraded'],
    [1, 1, 'degraded'],
    [49, 51, 'unhealthy'],
    [0, 1, 'unhealthy'],
  ])('with %i healthy handlers and %i degraded ones is %s', (healthy, degraded, state) => {
    expect(nodeHealth(states(healthy, degraded))).toBe(state);
  });

  it('is circuit-open when any circuit is, however many are healthy or not', () => {
    expect(nodeHealth([...states(99, 0), 'circuit-open'])).toBe('circuit-open');
    expect(nodeHealth([...states(0, 9), 'circuit-open'])).toBe('circuit-open');
  });
});
