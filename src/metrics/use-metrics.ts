import type { Registry } from 'prom-client'
import type { PoolEvent, StatementUse, UseObserver } from '../../db/index.ts'
import { isDatabaseError } from '../../db/index.ts'
import { Histogram, type HistogramOptions, type Series } from './histogram.ts'

const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
const PING_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5]
/** Servers have a few thousand error codes; a service meets a handful. */
const MOST_ERROR_TYPES = 50

/** Kysely's name of a statement's root node, and SQL's. */
const OPERATIONS: Readonly<Record<string, string>> = {
  SelectQueryNode: 'SELECT',
  InsertQueryNode: 'INSERT',
  UpdateQueryNode: 'UPDATE',
  DeleteQueryNode: 'DELETE',
}
const OTHER = '_OTHER'

/** How long callers wait for connections, hold them, and what their statements take. */
export function createUseMetrics(registry: Registry, pool: Readonly<Record<string, string>>): UseObserver {
  const { ran } = createStatementMetrics(registry)
  const ofPool = (options: Omit<HistogramOptions, 'buckets'>) =>
    new Histogram(registry, { ...options, buckets: BUCKETS }).addSeries(pool)
  const waits = ofPool({
    name: 'db_client_connection_wait_time_seconds',
    help: 'Time from asking for a connection to having it; 0 where one was idle.',
  })
  const holds = ofPool({
    name: 'db_client_connection_use_time_seconds',
    help: 'Time from having a connection to giving it back.',
  })
  return {
    waited: (ms) => waits.observe(ms / 1000),
    held: (ms) => holds.observe(ms / 1000),
    ran,
  }
}

function createStatementMetrics(registry: Registry): Pick<UseObserver, 'ran'> {
  const durations = new Histogram(registry, {
    name: 'db_client_operation_duration_seconds',
    help: 'Time that a statement took, all of its runs included.',
    buckets: BUCKETS,
  })
  const byKind = { mysql: new Map<string, Map<string, Series>>(), mariadb: new Map<string, Map<string, Series>>() }
  const errorTypes = new Set<string>()

  function bounded(type: string): string {
    if (!errorTypes.has(type) && errorTypes.size >= MOST_ERROR_TYPES) return OTHER
    errorTypes.add(type)
    return type
  }

  function addSeries({ flavour, kind }: StatementUse, errorType: string): Series {
    const operation = OPERATIONS[kind] ?? OTHER
    const byError = byKind[flavour].get(operation) ?? new Map<string, Series>()
    byKind[flavour].set(operation, byError)
    const series = durations.addSeries({
      db_system_name: flavour,
      db_operation_name: operation,
      error_type: errorType,
    })
    byError.set(errorType, series)
    return series
  }

  return {
    ran(use) {
      const errorType = use.error === undefined ? '' : bounded(errorTypeOf(use.error))
      const series = byKind[use.flavour].get(OPERATIONS[use.kind] ?? OTHER)?.get(errorType) ?? addSeries(use, errorType)
      series.observe(use.ms / 1000)
    },
  }
}

/** The server's or the driver's code, else the error's class; those who abort a statement may do so with anything. */
function errorTypeOf(error: unknown): string {
  const { code } = error as { readonly code?: unknown }
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]*$/.test(code)) return code
  return isDatabaseError(error) ? (error as Error).name : OTHER
}

/** What is seldom enough to be an event: connecting, pings, outages. */
export function createEventMetrics(registry: Registry, pool: Readonly<Record<string, string>>) {
  const creations = new Histogram(registry, {
    name: 'db_client_connection_create_time_seconds',
    help: 'Time that it took to open a connection: TCP, TLS, login and session set-up.',
    buckets: BUCKETS,
  }).addSeries(pool)
  const pings = new Histogram(registry, {
    name: 'pool_ping_duration_seconds',
    help: 'Time that idle connections took to answer a ping, or failed to.',
    buckets: PING_BUCKETS,
  })
  const alive = pings.addSeries({ result: 'alive' })
  const dead = pings.addSeries({ result: 'dead' })
  let isOutage = false
  return {
    isOutage: () => isOutage,
    onEvent(event: PoolEvent): void {
      if (event.name === 'opened') creations.observe(event.durationMs / 1000)
      else if (event.name === 'pinged') (event.isAlive ? alive : dead).observe(event.durationMs / 1000)
      else if (event.name === 'outageStarted') isOutage = true
      else if (event.name === 'outageEnded') isOutage = false
    },
  }
}
