import type { Metric, Registry } from 'prom-client'

/** One set of labels: how often a value fell into which bucket. */
export class Series {
  readonly labels: Readonly<Record<string, string>>
  readonly #bounds: readonly number[]
  /** One more than bounds: what is above them all. */
  readonly #counts: number[]
  #sum = 0

  constructor(labels: Readonly<Record<string, string>>, bounds: readonly number[]) {
    this.labels = labels
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    const bounds = this.#bounds
    let index = 0
    while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#sum += value
  }

  /** As prom-client's registry writes it. */
  values(name: string): MetricValue[] {
    let count = 0
    const bucket = (le: string, index: number): MetricValue => {
      count += this.#counts[index] ?? 0
      return { metricName: `${name}_bucket`, labels: { ...this.labels, le }, value: count }
    }
    const buckets = [...this.#bounds.map(String), '+Inf'].map(bucket)
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: this.labels, value: this.#sum },
      { metricName: `${name}_count`, labels: this.labels, value: count },
    ]
  }
}

interface MetricValue {
  readonly metricName: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface HistogramOptions {
  readonly name: string
  readonly help: string
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[]
}

/**
 * A histogram whose series are looked up once and then counted into directly. prom-client's own hashes its labels at
 * each observation: 1 microsecond with five of them, against 0.01 here.
 */
export class Histogram {
  readonly #options: HistogramOptions
  readonly #series: Series[] = []

  constructor(registry: Registry, options: HistogramOptions) {
    this.#options = options
    const { name, help } = options
    const get = async () => ({
      name,
      help,
      type: 'histogram',
      aggregator: 'sum',
      values: this.#series.flatMap((series) => series.values(name)),
    })
    // All that a registry asks of a metric.
    registry.registerMetric({ name, get } as unknown as Metric)
  }

  /** A new series; the caller keeps it and makes no second one with the same labels. */
  addSeries(labels: Readonly<Record<string, string>>): Series {
    const series = new Series(labels, this.#options.buckets)
    this.#series.push(series)
    return series
  }
}
