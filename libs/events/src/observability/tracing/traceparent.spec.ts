import { TraceFlags } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { parseTraceparent, toTraceparent } from './traceparent.js';

const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
const TEXT = `00-${traceId}-${spanId}-01`;

describe('a traceparent', () => {
  it('is written of a span that is kept, and read again', () => {
    expect(toTraceparent({ traceId, spanId, traceFlags: TraceFlags.SAMPLED })).toBe(TEXT);
    expect(parseTraceparent(TEXT)).toEqual({ traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });
  });

  it('is not written of a span that is only recorded: nobody could find it', () => {
    expect(toTraceparent({ traceId, spanId, traceFlags: TraceFlags.NONE })).toBeUndefined();
  });

  it.each([
    '',
    'x',
    `01-${traceId}-${spanId}-01`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `${TEXT}-01`,
    TEXT.slice(0, -1),
  ])('is not read from %j', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });
});
