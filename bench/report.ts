import { type Summary, summarise } from './statistics.ts'
import { type Cell, type Comparison, compareStacks, type Metric, type Slice } from './summary.ts'
import type { Table } from './table.ts'
import type { TargetResult } from './targets.ts'

/** A stack's name and how tables call it. */
export interface StackTitle {
  readonly name: string
  readonly title: string
}

export const metricTitles: Record<Metric, string> = {
  requestsPerSecond: 'requests/s',
  p50Ms: 'p50 ms',
  p99Ms: 'p99 ms',
  stackCpuMs: 'CPU ms/request',
  databaseCpuMs: 'database CPU ms/request',
  memoryMb: 'memory MB',
}

/** Everything about one load: a row for each stack. */
export function loadTable(cells: readonly Cell[], stacks: readonly StackTitle[]): Table {
  return [
    ['stack', 'requests/s', '95 % interval', 'p50 ms', 'p99 ms', 'CPU ms', 'database', 'MB', 'errors'],
    ...inOrder(cells, stacks).map(([title, { figures, errors }]) => [
      title,
      medianText(figures.requestsPerSecond, 'requestsPerSecond'),
      spreadText(figures.requestsPerSecond, 'requestsPerSecond'),
      ...(['p50Ms', 'p99Ms', 'stackCpuMs', 'databaseCpuMs', 'memoryMb'] as const).map((metric) =>
        medianText(figures[metric], metric),
      ),
      String(errors),
    ]),
  ]
}

/** One metric of one workload: a row for each stack, a column for each concurrency, medians with their interval. */
export function metricTable(cells: readonly Cell[], stacks: readonly StackTitle[], metric: Metric): Table {
  const columns = [...new Set(cells.map(({ connections }) => connections))]
  const shown = stacks.filter(({ name }) => cells.some(({ stack }) => stack === name))
  return [
    [metricTitles[metric], ...columns.map((connections) => `c=${connections}`)],
    ...shown.map(({ name, title }) => [
      title,
      ...columns.map((connections) => {
        const cell = cells.find((candidate) => candidate.stack === name && candidate.connections === connections)
        const summary = cell?.figures[metric]
        return summary === undefined ? '' : `${medianText(summary, metric)} (${spreadText(summary, metric)})`
      }),
    ]),
  ]
}

/** What each stack has in memory in its first and in its last round: it must not grow with the requests. */
export function memoryTable(slices: readonly Slice[], stacks: readonly StackTitle[]): Table {
  const rounds = slices.map(({ round }) => round)
  const [first, last] = [Math.min(...rounds), Math.max(...rounds)]
  const megabytesIn = (round: number, own: readonly Slice[]) => {
    const values = own.filter((slice) => slice.round === round).map(({ memoryMb }) => memoryMb)
    return values.length === 0 ? '' : withDigits(summarise(values).median, 'memoryMb')
  }
  return [
    ['memory', 'requests', `MB in round ${first}`, `MB in round ${last}`],
    ...stacks.flatMap(({ name, title }) => {
      const own = slices.filter(({ stack }) => stack === name)
      const requests = own.reduce((total, slice) => total + slice.requests, 0)
      return own.length === 0
        ? []
        : [[title, requests.toLocaleString('en'), megabytesIn(first, own), megabytesIn(last, own)]]
    }),
  ]
}

export function targetTable(results: readonly TargetResult[]): Table {
  return [
    ['ratio', 'load', 'to', 'must be', 'is', '95 % interval', ''],
    ...results.map(({ metric, workload, connections, to, bound, limit, ratio, isMet }) => [
      metricTitles[metric],
      `${workload} c=${connections}`,
      to,
      `${bound === 'atLeast' ? 'at least' : 'at most'} ${limit}`,
      ratio.median.toFixed(2),
      rangeOf(ratio, (value) => value.toFixed(2)),
      isMet ? 'met' : 'MISSED',
    ]),
  ]
}

/** One stack by another under every load that both met: medians of the ratios within each round, with their interval. */
export function ratioTable(slices: readonly Slice[], { of, to }: Pick<Comparison, 'of' | 'to'>): Table {
  const metrics = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'stackCpuMs', 'databaseCpuMs'] as const
  const loads = Map.groupBy(slices, ({ workload, connections }) => `${workload} c=${connections}`)
  return [
    ['ratio', ...metrics.map((metric) => metricTitles[metric])],
    ...[...loads].map(([title, own]) => [
      title,
      ...metrics.map((metric) => {
        const [first] = own
        const ratio = first && compareStacks(own, { ...first, metric, of, to })
        return ratio ? `${ratio.median.toFixed(3)} (${rangeOf(ratio, (value) => value.toFixed(3))})` : ''
      }),
    ]),
  ]
}

function inOrder(cells: readonly Cell[], stacks: readonly StackTitle[]): readonly (readonly [string, Cell])[] {
  return stacks.flatMap(({ name, title }) => {
    const cell = cells.find(({ stack }) => stack === name)
    return cell === undefined ? [] : [[title, cell] as const]
  })
}

export function medianText(summary: Summary | undefined, metric: Metric): string {
  return summary === undefined ? 'unknown' : withDigits(summary.median, metric)
}

function spreadText(summary: Summary | undefined, metric: Metric): string {
  return summary === undefined ? '' : rangeOf(summary, (value) => withDigits(value, metric))
}

/** The interval; where there are too few slices for one, lowest and highest, marked as such. */
function rangeOf({ interval, min, max }: Summary, text: (value: number) => string): string {
  return interval ? `${text(interval.low)}-${text(interval.high)}` : `range ${text(min)}-${text(max)}`
}

function withDigits(value: number, metric: Metric): string {
  if (metric === 'requestsPerSecond') return Math.round(value).toLocaleString('en')
  if (metric === 'memoryMb') return value.toFixed(0)
  return value.toFixed(metric === 'stackCpuMs' || metric === 'databaseCpuMs' ? 3 : 2)
}
