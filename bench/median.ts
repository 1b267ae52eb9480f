/** A median and the order statistics that hold it with 95 % (binomial, normal approximation). */
export interface Median {
  readonly middle: number
  readonly low: number
  readonly high: number
}

export function median(values: readonly number[]): Median {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length / 2
  const reach = 0.98 * Math.sqrt(sorted.length)
  const at = (index: number) => sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(index)))] ?? Number.NaN
  return { middle: at(half - 0.5), low: at(half - reach - 0.5), high: at(half + reach - 0.5) }
}
