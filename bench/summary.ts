import type { Figures } from './measure.ts'
import { type Summary, summarise } from './statistics.ts'
import type { WorkloadName } from './workloads.ts'

/** The figures of one slice, and whose they are. */
export interface Slice extends Figures {
  readonly stack: string
  readonly workload: WorkloadName
  readonly connections: number
  readonly round: number
}

const metrics = ['requestsPerSecond', 'p50Ms', 'p99Ms', 'stackCpuMs', 'databaseCpuMs', 'memoryMb'] as const
export type Metric = (typeof metrics)[number]

/** Several slices together. */
export interface Totals {
  readonly requests: number
  readonly errors: number
  readonly figures: Readonly<Partial<Record<Metric, Summary>>>
}

/** All slices of one stack under one load. */
export interface Cell extends Pick<Slice, 'stack' | 'workload' | 'connections'>, Totals {}

/** One cell for each stack, workload and concurrency, in the order in which they were first measured. */
export function summariseSlices(slices: readonly Slice[]): readonly Cell[] {
  const groups = Map.groupBy(slices, ({ stack, workload, connections }) => `${workload} ${connections} ${stack}`)
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const { stack, workload, connections } = first
    return { stack, workload, connections, ...totalsOf(group) }
  })
}

export function totalsOf(slices: readonly Figures[]): Totals {
  const entries = metrics.map((metric) => [metric, slices.map((slice) => slice[metric]).filter(isNumber)] as const)
  return {
    requests: slices.reduce((total, { requests }) => total + requests, 0),
    errors: slices.reduce((total, { errors }) => total + errors, 0),
    figures: Object.fromEntries(
      entries.filter(([, values]) => values.length > 0).map(([metric, values]) => [metric, summarise(values)]),
    ),
  }
}

export interface Comparison {
  readonly workload: WorkloadName
  readonly connections: number
  readonly metric: Metric
  readonly of: string
  readonly to: string
}

/**
 * The ratio between two stacks, taken within each round, so that what slows both down cancels out.
 * Undefined when they were not both measured.
 */
export function compareStacks(slices: readonly Slice[], comparison: Comparison): Summary | undefined {
  const { workload, connections, metric, of, to } = comparison
  const valuesOf = (name: string) =>
    new Map(
      slices
        .filter((slice) => slice.stack === name && slice.workload === workload && slice.connections === connections)
        .map((slice) => [slice.round, slice[metric]]),
    )
  const below = valuesOf(to)
  const ratios = [...valuesOf(of)].flatMap(([round, value]) => {
    const other = below.get(round)
    // Less CPU than one tick: no ratio.
    return isNumber(value) && isNumber(other) && other > 0 ? value / other : []
  })
  return ratios.length === 0 ? undefined : summarise(ratios)
}

function isNumber(value: number | undefined): value is number {
  return value !== undefined
}
