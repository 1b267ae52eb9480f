import type { Summary } from './statistics.ts'
import { type Comparison, compareStacks, type Slice } from './summary.ts'

/** How good the service means to be beside another stack. */
interface Target extends Comparison {
  readonly bound: 'atLeast' | 'atMost'
  readonly limit: number
}

export interface TargetResult extends Target {
  readonly ratio: Summary
  readonly isMet: boolean
}

const service = { of: 'service' } as const
const rates = { ...service, metric: 'requestsPerSecond', bound: 'atLeast' } as const

const lookups = (['seed', 'city'] as const).flatMap((workload): Target[] => [
  { ...service, workload, connections: 1, metric: 'stackCpuMs', to: 'stock', bound: 'atMost', limit: 1.05 },
  { ...service, workload, connections: 1, metric: 'p50Ms', to: 'stock', bound: 'atMost', limit: 1.05 },
  { ...rates, workload, connections: 16, to: 'stock', limit: 1.6 },
  { ...rates, workload, connections: 16, to: 'go', limit: 1.4 },
  { ...service, workload, connections: 16, metric: 'p99Ms', to: 'stock', bound: 'atMost', limit: 1 },
  { ...rates, workload, connections: 64, to: 'stock', limit: 2 },
  { ...service, workload, connections: 64, metric: 'stackCpuMs', to: 'stock', bound: 'atMost', limit: 0.45 },
])

const targets: readonly Target[] = [
  ...lookups,
  { ...rates, workload: 'seed', connections: 64, to: 'no-database', limit: 0.55 },
  { ...rates, workload: 'seed', connections: 16, to: 'per-request', limit: 12 },
  { ...rates, workload: 'cities', connections: 16, to: 'stock', limit: 1.15 },
  { ...rates, workload: 'create', connections: 16, to: 'stock', limit: 0.9 },
]

/** Those that the slices can tell about; met by the median. */
export function judgeTargets(slices: readonly Slice[]): readonly TargetResult[] {
  return targets.flatMap((target) => {
    const ratio = compareStacks(slices, target)
    if (ratio === undefined) return []
    const isMet = target.bound === 'atLeast' ? ratio.median >= target.limit : ratio.median <= target.limit
    return { ...target, ratio, isMet }
  })
}
