interface HistogramValue {
  readonly metricName: string;
  readonly labels: { readonly [name: string]: string | number };
  readonly value: number;
}

/** The observations of one series of a histogram. */
export class HistogramSeries {
  private sum = 0;
  private count = 0;
  /** Of each bucket by itself; what is above all bounds is in `count` only. */
  private readonly counts: number[];

  constructor(
    private readonly name: string,
    private readonly labels: { readonly [name: string]: string },
    private readonly bounds: readonly number[],
  ) {
    this.counts = bounds.map(() => 0);
  }

  readonly observe = (value: number): void => {
    const { bounds, counts } = this;
    this.sum += value;
    this.count++;
    for (let index = 0; index < bounds.length; index++) {
      if (value > bounds[index]) continue;
      counts[index]++;
      return;
    }
  };

  /** As Prometheus wants them: each bucket has those below it, too. */
  values(): HistogramValue[] {
    const { name, labels, sum, count } = this;
    let below = 0;
    const buckets = this.bounds.map((le, index) => ({
      le: le as number | '+Inf',
      value: (below += this.counts[index]),
    }));
    return [
      ...[...buckets, { le: '+Inf' as const, value: count }].map(({ le, value }) => ({
        metricName: `${name}_bucket`,
        labels: { ...labels, le },
        value,
      })),
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }

  reset(): void {
    this.sum = this.count = 0;
    this.counts.fill(0);
  }
}
