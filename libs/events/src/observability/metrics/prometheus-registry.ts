/** What is used of a `Registry` of prom-client, so that the types of this module need no prom-client. */
export interface PrometheusRegistry {
  registerMetric(metric: never): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
}
