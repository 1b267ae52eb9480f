import { percentile, type Summary, summarise } from './statistics.ts'
import { renderText, type Table } from './table.ts'

/** What may be added to stock's p50. */
const ALLOWED_MS = 1

/** How long each of a stack's reads took, by round. */
export interface PausedReads {
  readonly name: string
  readonly title: string
  readonly tookMs: readonly number[]
}

/** The times of each stack, and by how much the service's differ from each other one's, taken within each round. */
export function describePauses(all: readonly PausedReads[]): string {
  const times: Table = [
    ['stack', 'reads', 'p50 ms', '95 % interval', 'p99 ms', 'slowest ms'],
    ...all.map(({ title, tookMs }) => {
      const summary = summarise(tookMs)
      const { count, max } = summary
      return [title, String(count), ...cells(summary), percentile(tookMs, 0.99).toFixed(2), max.toFixed(2)]
    }),
  ]
  const service = all.find(({ name }) => name === 'service')
  const others = all.filter((one) => one !== service)
  if (service === undefined || others.length === 0) return renderText(times)
  const differences: Table = [
    [`${service.title}, more than`, 'ms', '95 % interval', 'p50', ''],
    ...others.map((other) => {
      const more = service.tookMs.map((ms, round) => ms - (other.tookMs[round] ?? Number.NaN))
      const p50More = summarise(service.tookMs).median - summarise(other.tookMs).median
      return [other.title, ...cells(summarise(more)), signed(p50More), other.name === 'stock' ? judge(p50More) : '']
    }),
  ]
  return `${renderText(times)}\n\n${renderText(differences)}`
}

function judge(p50MoreMs: number): string {
  return `at most ${ALLOWED_MS} ms: ${p50MoreMs <= ALLOWED_MS ? 'met' : 'MISSED'}`
}

function cells({ median, interval, min, max }: Summary): readonly string[] {
  const text = (ms: number) => ms.toFixed(2)
  return [
    text(median),
    interval ? `${text(interval.low)} to ${text(interval.high)}` : `range ${text(min)} to ${text(max)}`,
  ]
}

function signed(ms: number): string {
  return `${ms < 0 ? '' : '+'}${ms.toFixed(2)}`
}
