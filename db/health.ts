import { nameConnectError } from './classify-error.ts'
import type { Clock } from './clock.ts'
import type { PoolCheck } from './pool/pool-check.ts'
import type { PoolStats } from './pool/stats.ts'

/** How long a report stands for further callers, from its start, in ms: probes and load balancers come in swarms. */
const SHARED_MS = 1000

/**
 * What is not as it should be although the database answers: idle connections were dead, the server takes no writes, it
 * could not be asked beside the pool, the last attempt to connect failed.
 */
export type HealthWarning = 'connectionsEvicted' | 'readOnly' | 'serverNotAsked' | 'connectFailed'

/** How the database is, and what was done about it. All of it may be public: codes and counts, no driver's text, no hosts. */
export interface HealthReport {
  readonly status: 'pass' | 'warn' | 'fail'
  readonly warnings: readonly HealthWarning[]
  /** Why it is not `pass`, where a code says so: that of the last attempt to connect, `NO_ANSWER` without one. */
  readonly reason?: string
  /** Idle connections that were pinged. */
  readonly checked: number
  readonly alive: number
  readonly evicted: number
  /** Connections opened meanwhile. */
  readonly opened: number
  /** Round trips of the pings that were answered, in ms. */
  readonly pings?: { readonly fastestMs: number; readonly slowestMs: number }
  /** Absent when the server could not be asked. */
  readonly server?: {
    readonly version: string
    readonly isReadOnly: boolean
    readonly maxConnections: number
    readonly roundTripMs: number
  }
  /** The pool's gauges after the check. */
  readonly pool: PoolStats
}

/** What is checked: a pool. */
interface Checkable {
  readonly stats: PoolStats
  check(): Promise<PoolCheck>
}

/** Checks a pool: one check at a time, its report shared for `SHARED_MS`. */
export function createHealthCheck(pool: Checkable, clock: Clock): () => Promise<HealthReport> {
  let startedAtMs = Number.NEGATIVE_INFINITY
  let report: Promise<HealthReport> | undefined
  let isRunning = false

  async function run(): Promise<HealthReport> {
    isRunning = true
    try {
      return toReport(await pool.check(), pool.stats)
    } finally {
      isRunning = false
    }
  }

  return () => {
    const nowMs = clock.now()
    if (!report || (!isRunning && nowMs - startedAtMs >= SHARED_MS)) {
      startedAtMs = nowMs
      report = run()
    }
    return report
  }
}

/** Pure. */
export function toReport(check: PoolCheck, pool: PoolStats): HealthReport {
  const { checked, alive, evicted, opened, pingsMs, server, serverMs, isAnswering, lastFailure } = check
  const warnings = warningsOf(check)
  const status = isAnswering ? (warnings.length > 0 ? 'warn' : 'pass') : 'fail'
  const reason = lastFailure === undefined ? (isAnswering ? undefined : 'NO_ANSWER') : nameConnectError(lastFailure)
  return {
    status,
    warnings,
    ...(reason !== undefined && { reason }),
    checked,
    alive,
    evicted,
    opened,
    ...(pingsMs.length > 0 && { pings: { fastestMs: Math.min(...pingsMs), slowestMs: Math.max(...pingsMs) } }),
    ...(server && { server: { ...server, roundTripMs: serverMs ?? 0 } }),
    pool,
  }
}

function warningsOf({ evicted, server, lastFailure }: PoolCheck): HealthWarning[] {
  return [
    ...(evicted > 0 ? (['connectionsEvicted'] as const) : []),
    ...(server?.isReadOnly ? (['readOnly'] as const) : []),
    ...(server ? [] : (['serverNotAsked'] as const)),
    ...(lastFailure === undefined ? [] : (['connectFailed'] as const)),
  ]
}
