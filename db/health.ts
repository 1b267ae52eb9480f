import { sql } from 'kysely'
import { asDriverError } from './classify-error.ts'
import type { Database } from './database.ts'
import type { PoolStats } from './pool/stats.ts'

/** Longest wait for the database's answer to a health check, in ms: below the 1 s that a kubelet waits by default. */
const HEALTH_TIMEOUT_MS = 500

/** What a health check found, and the pool's gauges after it. */
export type HealthReport = { readonly pool: PoolStats } & Finding

type Finding =
  | {
      readonly status: 'pass'
      readonly roundTripMs: number
      readonly serverVersion: string
      readonly isReadOnly: boolean
    }
  | {
      readonly status: 'fail'
      /** A code, never the driver's text. */
      readonly reason: string
    }

/** Asks the database for its version and whether it takes writes. Never throws; answers within `HEALTH_TIMEOUT_MS`. */
export async function checkHealth(database: Database): Promise<HealthReport> {
  const finding = await ask(database)
  return { ...finding, pool: database.stats }
}

async function ask(database: Database): Promise<Finding> {
  const startedAtMs = performance.now()
  const scope = database.createScope(HEALTH_TIMEOUT_MS)
  try {
    const row = await database.runInScope(scope, () =>
      database.kysely
        .selectNoFrom([sql<string>`version()`.as('version'), sql<number>`@@global.read_only`.as('isReadOnly')])
        .executeTakeFirstOrThrow(),
    )
    return {
      status: 'pass',
      roundTripMs: performance.now() - startedAtMs,
      serverVersion: row.version,
      isReadOnly: row.isReadOnly === 1,
    }
  } catch (error) {
    return { status: 'fail', reason: reasonOf(error) }
  } finally {
    scope.end()
  }
}

/** The first code on the way to the cause: ours are class names, the driver's its codes. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return asDriverError(cause).code ?? (error instanceof Error ? error.name : 'UNKNOWN')
}
