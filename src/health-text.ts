import type { HealthReport } from '../db/index.ts'

/** A report for people, line by line like kube-apiserver's. Pure. */
export function healthText(report: HealthReport): string {
  const { status, warnings, reason, checked, alive, evicted, opened, pings, server } = report
  const { total, idle, acquired, waiting, connecting } = report.pool
  const because = reason === undefined ? '' : `: ${reason}`
  const database = server
    ? `${server.version}, ${server.isReadOnly ? 'read-only' : 'read-write'}, ${server.roundTripMs.toFixed(1)} ms`
    : `answers, but not beside the pool${because}`
  const times = pings ? `, ${pings.fastestMs.toFixed(1)} to ${pings.slowestMs.toFixed(1)} ms` : ''
  const warned = warnings.length > 0 ? ` with warnings: ${warnings.join(', ')}` : ''
  return [
    status === 'fail' ? `[-]database failed${because}` : `[+]database ok: ${database}`,
    `idle connections: ${checked} checked, ${alive} alive, ${evicted} evicted, ${opened} opened${times}`,
    `pool: ${total} open, ${idle} idle, ${acquired} acquired, ${connecting} connecting, ${waiting} waiting`,
    status === 'fail' ? 'healthz check failed' : `healthz check passed${warned}`,
  ].join('\n')
}

/** What is promised of the JSON; what else it has is for people. */
export interface HealthJson {
  readonly status: HealthReport['status']
  readonly checks: Readonly<Record<string, object>>
  readonly [name: string]: unknown
}

/** A report as draft-inadarei-api-health-check-06 has it. Pure. */
export function healthJson(report: HealthReport, releaseId: string): HealthJson {
  const { status, warnings, reason, checked, alive, evicted, opened, pings, server, pool } = report
  const databaseStatus = status === 'fail' ? 'fail' : server && !server.isReadOnly ? 'pass' : 'warn'
  return {
    status,
    releaseId,
    ...(warnings.length > 0 && { notes: [...warnings] }),
    ...(reason !== undefined && { output: reason }),
    checks: {
      'database:responseTime': [
        {
          componentType: 'datastore',
          status: databaseStatus,
          ...(server && { observedValue: rounded(server.roundTripMs), observedUnit: 'ms', ...withoutTime(server) }),
        },
      ],
      'pool:connections': [
        {
          componentType: 'datastore',
          status: evicted > 0 ? 'warn' : 'pass',
          observedValue: pool.total,
          observedUnit: 'connections',
          ...pool,
          checked,
          alive,
          evicted,
          opened,
          ...(pings && { pings: { fastestMs: rounded(pings.fastestMs), slowestMs: rounded(pings.slowestMs) } }),
        },
      ],
    },
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}

function withoutTime({ version, isReadOnly, maxConnections }: NonNullable<HealthReport['server']>) {
  return { version, isReadOnly, maxConnections }
}
