import type { CircuitState } from '../policies/circuit-breaker.policy.js';

export type HealthState = 'healthy' | 'degraded' | 'circuit-open' | 'unhealthy';

/** Health of one handler. */
export function handlerHealth(handler: { circuit: CircuitState; failing: boolean; paused: boolean }): HealthState {
  if (handler.circuit === 'open') return 'circuit-open';
  return handler.circuit === 'half-open' || handler.paused || handler.failing ? 'degraded' : 'healthy';
}

/** Health of a node from that of its handlers: none, or 80 % of them healthy, is healthy; half of them, degraded. */
export function nodeHealth(handlers: readonly HealthState[]): HealthState {
  if (handlers.length === 0) return 'healthy';
  if (handlers.includes('circuit-open')) return 'circuit-open';
  const share = handlers.filter((state) => state === 'healthy').length / handlers.length;
  if (share >= 0.8) return 'healthy';
  return share >= 0.5 ? 'degraded' : 'unhealthy';
}
