import { AsyncLocalStorage } from 'node:async_hooks'
import { Kysely } from 'kysely'
import type { BatchRuntime } from './batcher.ts'
import { systemClock } from './clock.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { resilientMysqlDialect } from './dialect.ts'
import { createHealthCheck, type HealthReport } from './health.ts'
import { startKeyRemoval } from './key-removal.ts'
import type { PoolOptions } from './pool/options.ts'
import type { PoolCounters, PoolEvent, PoolStats } from './pool/stats.ts'
import type { UseObserver } from './pool/use-observer.ts'
import { type CityLookups, createCityLookups } from './queries/city-lookups.ts'
import type { DB } from './schema.ts'
import { Scope } from './scope.ts'
import { type SessionWaits, toServiceSession } from './service-session.ts'
import { SharedReads } from './shared-read.ts'

export interface DatabaseOptions {
  readonly connection: ConnectionOptions
  readonly pool?: Partial<PoolOptions>
  readonly strategy?: 'pooled' | 'per-request'
  /** Whether statements are prepared when they come again. Default true. */
  readonly arePrepared?: boolean | undefined
  /** How long sessions wait. Default: as in `strictSession`, from which all else is. */
  readonly waits?: SessionWaits | undefined
  /** Most callers who share a statement, 1 to 32; 32 by default. */
  readonly maxLookupBatch?: number | undefined
  readonly onEvent?: (event: PoolEvent) => void
  /** Told of every use of a connection. */
  readonly observer?: UseObserver
}

/** The database as the rest of the service sees it. */
export interface Database {
  readonly kysely: Kysely<DB>
  readonly cities: CityLookups
  /** What `read` resolves with; callers with the same `question` in one turn of the event loop share one. */
  shareRead<Answer>(question: string, read: () => Promise<Answer>): Promise<Answer>
  /** The pool's gauges. */
  readonly stats: PoolStats
  /** The pool's settings, defaults filled in. */
  readonly poolOptions: PoolOptions
  /** Whether only a restart can help: callers wait, nothing moves, and yet the database lets others in. */
  readonly isWedged: boolean
  /** What the pool has met since the start. */
  readonly counters: PoolCounters
  /** A caller's time, running from now. */
  createScope(timeoutMs: number): Scope
  /** Runs `task`, every statement of it in `scope`: none outlives it, nor waits longer for a connection. */
  runInScope<T>(scope: Scope, task: () => T): T
  /** Pings and recycles idle connections and asks the server about itself: within 500 ms, 800 over a slow link, shared for 1 s; never throws. */
  health(): Promise<HealthReport>
  /** Ends every connection: holders have `deadlineMs` to finish. Never rejects. */
  close(options: { readonly deadlineMs: number }): Promise<void>
}

/**
 * Wires the database side. Connects by itself and again, so the database need not be there yet.
 * @throws PoolOptionsError
 */
export function createDatabase(options: DatabaseOptions): Database {
  const scopes = new AsyncLocalStorage<Scope>()
  const currentScope = () => scopes.getStore()
  const dialect = resilientMysqlDialect({ ...options, session: toServiceSession(options.waits), currentScope })
  const kysely = new Kysely<DB>({ dialect })
  const runInScope = <T>(scope: Scope, task: () => T) => scopes.run(scope, task)
  const stopKeyRemoval = startKeyRemoval({ kysely, clock: systemClock, random: Math.random, runInScope })
  const { poolOptions } = dialect
  const batches: BatchRuntime = {
    clock: systemClock,
    maxBatch: options.maxLookupBatch,
    currentScope,
    afterPoll: (task) => dialect.afterPoll(task),
  }
  const sharedReads = new SharedReads({ ...batches, runInScope })
  return {
    kysely,
    poolOptions,
    cities: createCityLookups({ ...batches, read: (query, scope) => dialect.read(query, scope) }),
    shareRead: (question, read) => sharedReads.ask(question, read),
    get stats() {
      return dialect.stats
    },
    get counters() {
      return dialect.counters
    },
    get isWedged() {
      return dialect.isWedged
    },
    createScope: (timeoutMs) => new Scope(systemClock, timeoutMs),
    runInScope,
    health: createHealthCheck(dialect, systemClock),
    close: (closeOptions) => {
      stopKeyRemoval()
      return dialect.close(closeOptions)
    },
  }
}
