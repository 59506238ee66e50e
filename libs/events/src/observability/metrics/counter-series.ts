/** What one series of a counter has grown by since it was last asked. */
export class CounterSeries {
  private grown = 0;

  constructor(readonly labels: { readonly [name: string]: string }) {}

  readonly add = (value: number): void => {
    this.grown += value;
  };

  take(): number {
    const { grown } = this;
    this.grown = 0;
    return grown;
  }
}
