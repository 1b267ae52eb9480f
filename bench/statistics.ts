/** What repeated measurements say together. */
export interface Summary {
  readonly count: number
  readonly median: number
  readonly min: number
  readonly max: number
  /** The 95 % interval of the median; absent below six values, which cannot bound it. */
  readonly interval?: { readonly low: number; readonly high: number }
}

/** @throws RangeError without a value */
export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b)
  const [min, max] = [sorted[0], sorted.at(-1)]
  if (min === undefined || max === undefined) throw new RangeError('nothing was measured')
  const interval = medianInterval(sorted)
  return { count: sorted.length, median: medianOf(sorted), min, max, ...(interval && { interval }) }
}

/**
 * The narrowest pair of order statistics that holds the median with at least 95 %, whatever the distribution:
 * the number of values below the median is binomial.
 */
function medianInterval(sorted: readonly number[]): Summary['interval'] {
  const rank = rankOf95(sorted.length)
  const [low, high] = [sorted[rank - 1], sorted[sorted.length - rank]]
  return low === undefined || high === undefined ? undefined : { low, high }
}

/** The largest rank r with 2 P(fewer than r of `count` fair coins show heads) <= 5 %; 0 when there is none. */
function rankOf95(count: number): number {
  let term = 0.5 ** count
  let below = 0
  for (let rank = 0; ; rank += 1) {
    below += term
    if (2 * below > 0.05) return rank
    term *= (count - rank) / (rank + 1)
  }
}

function medianOf(sorted: readonly number[]): number {
  const half = sorted.length / 2
  const lower = sorted[Math.ceil(half) - 1] ?? Number.NaN
  const upper = sorted[Math.floor(half)] ?? Number.NaN
  return (lower + upper) / 2
}

/** By how much y grows with each 1 of x: the line of least squares. Undefined below two different x. */
export function slopeOf(points: readonly { readonly x: number; readonly y: number }[]): number | undefined {
  const meanX = mean(points.map(({ x }) => x))
  const meanY = mean(points.map(({ y }) => y))
  const spread = sum(points.map(({ x }) => (x - meanX) ** 2))
  return spread > 0 ? sum(points.map(({ x, y }) => (x - meanX) * (y - meanY))) / spread : undefined
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** The smallest value that at least `share` (0 to 1) of them do not exceed (nearest rank). @throws RangeError */
export function percentile(values: readonly number[] | Float64Array, share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const found = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
  if (found === undefined) throw new RangeError('nothing was measured')
  return found
}
