import {
  type AbortableOperationOptions,
  type CompiledQuery,
  createQueryId,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  IdentifierNode,
  type Kysely,
  type MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type QueryCompiler,
  RawNode,
  type TransactionSettings,
} from 'kysely'
import { type ReplayDependencies, ResilientMysqlAdapter } from './adapter.ts'
import { guardEvents, guardObserver, guardRandom } from './callbacks.ts'
import { type Clock, systemClock } from './clock.ts'
import type { ConnectionOptions } from './connection-options.ts'
import { KnownReads } from './known-reads.ts'
import { Lease, type LeaseDependencies } from './lease.ts'
import type { Random } from './pool/backoff.ts'
import type { ConnectionSource } from './pool/connection-source.ts'
import { createConnector } from './pool/connector.ts'
import { Link } from './pool/link.ts'
import { LoopTurn } from './pool/loop-turn.ts'
import { type PoolOptions, resolvePoolOptions } from './pool/options.ts'
import { PerRequestSource } from './pool/per-request-source.ts'
import type { PoolCheck } from './pool/pool-check.ts'
import { ResilientPool } from './pool/resilient-pool.ts'
import { countEvent, noEvents, type PoolCounters, type PoolEvent, type PoolStats } from './pool/stats.ts'
import { type UseObserver, unobserved } from './pool/use-observer.ts'
import type { Scope } from './scope.ts'
import { toSessionSetup } from './session-setup.ts'
import type { SessionOptions } from './session-variables.ts'
import { SignalScope } from './signal-scope.ts'

export interface ResilientMysqlOptions {
  readonly connection: ConnectionOptions
  /** The settings of `poolSettings`; what is left out has its default. */
  readonly pool?: Partial<PoolOptions>
  /** Whether statements are prepared when they come again, which not every proxy can. Default true. */
  readonly arePrepared?: boolean | undefined
  /**
   * Whether BIGINTs beyond 2^53, in columns and in JSON, come as strings with all their digits; smaller ones are numbers
   * all the same. Default false: rounded to a number, as with mysql2. Parameters are exact as `bigint` or string, and so is
   * `insertId`, either way.
   */
  readonly areIntegersExact?: boolean | undefined
  /**
   * Variables that every session has, whatever the server's defaults; `strictSession` has them all. Default: none, the
   * server's defaults as with mysql2, but for `autocommit` and `completion_type`, which the pool always sets.
   */
  readonly session?: SessionOptions | undefined
  /** `pooled`, the default, or a new connection for each use: slow, and a yardstick. */
  readonly strategy?: 'pooled' | 'per-request'
  /** The deadline of whoever runs a statement now; without one `acquireTimeoutMs` bounds the wait for a connection. */
  readonly currentScope?: () => Scope | undefined
  /** Called after what it tells of. What it throws, or rejects with, becomes a `CallbackWarning` of the process, once. */
  readonly onEvent?: (event: PoolEvent) => void
  /** Told of every use of a connection, on the hot path. Its errors: as those of `onEvent`. */
  readonly observer?: UseObserver
  readonly clock?: Clock
  readonly random?: Random
}

/**
 * A Kysely dialect whose connections never go away.
 * @throws PoolOptionsError
 */
export function resilientMysqlDialect(options: ResilientMysqlOptions): ResilientMysqlDialect {
  return new ResilientMysqlDialect(options)
}

export class ResilientMysqlDialect implements Dialect {
  /** With the defaults filled in. */
  readonly poolOptions: PoolOptions
  readonly #deps: DriverDependencies
  readonly #turn = new LoopTurn()
  #counters = noEvents

  constructor(options: ResilientMysqlOptions) {
    const pool = resolvePoolOptions(options.pool)
    const { clock = systemClock } = options
    const random = options.random ? guardRandom(options.random) : Math.random
    const observer = options.observer ? guardObserver(options.observer) : unobserved
    const tell = options.onEvent && guardEvents(options.onEvent)
    const onEvent = (event: PoolEvent) => {
      this.#counters = countEvent(this.#counters, event)
      tell?.(event)
    }
    const turn = this.#turn
    const { arePrepared = true, areIntegersExact = false } = options
    const sessionSetup = toSessionSetup(options.session)
    const link = new Link()
    const connector = createConnector(options.connection, {
      clock,
      turn,
      link,
      limits: pool,
      arePrepared,
      areIntegersExact,
      sessionSetup,
      onEvent,
    })
    const source =
      options.strategy === 'per-request'
        ? new PerRequestSource({ connector, clock, link })
        : new ResilientPool(pool, { connector, clock, turn, link, random, onEvent, observer })
    const currentScope = options.currentScope ?? (() => undefined)
    const { acquireTimeoutMs } = pool
    this.#deps = { source, clock, random, reads: new KnownReads(), onEvent, observer, currentScope, acquireTimeoutMs }
    this.poolOptions = pool
  }

  get stats(): PoolStats {
    return this.#deps.source.stats
  }

  /** Whether only a restart can help: callers wait, nothing moves, and yet the database lets others in. */
  get isWedged(): boolean {
    return this.#deps.source.isWedged
  }

  /** Pings and recycles idle connections, and asks the server about itself; within 500 ms, 800 over a slow link, and never throws. */
  check(): Promise<PoolCheck> {
    return this.#deps.source.check()
  }

  get counters(): PoolCounters {
    return this.#counters
  }

  /** The rows of one SELECT that was compiled before, as Kysely's `executeQuery` gives them, without what that costs. */
  async read<Row>(query: CompiledQuery<Row>, scope: Scope | undefined): Promise<readonly Row[]> {
    const lease = await Lease.acquire(this.#deps, scope)
    try {
      return (await lease.executeQuery<Row>(query)).rows
    } finally {
      lease.release()
    }
  }

  /** Runs `task` when everything that this turn of the event loop has brought was handled. */
  afterPoll(task: () => void): void {
    this.#turn.afterPoll(task)
  }

  /** Ends the connections: holders have `deadlineMs` to finish. Kysely's own `destroy()` gives them 5 s. */
  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#deps.source.close(options)
  }

  createDriver(): Driver {
    return new ResilientMysqlDriver(this.#deps)
  }

  createQueryCompiler(): QueryCompiler {
    return new MysqlQueryCompiler()
  }

  createAdapter(): MysqlAdapter {
    return new ResilientMysqlAdapter(this.#deps)
  }

  createIntrospector(db: Kysely<unknown>): MysqlIntrospector {
    return new MysqlIntrospector(db)
  }
}

interface DriverDependencies extends LeaseDependencies, ReplayDependencies {
  readonly source: ConnectionSource
}

const DESTROY_DEADLINE_MS = 5000

/**
 * Kysely's driver over leases. Kysely's own would give back whatever connection comes, let a failing ROLLBACK replace
 * the first error, and knows neither statements' kinds nor deadlines.
 */
class ResilientMysqlDriver implements Driver {
  readonly #deps: DriverDependencies

  constructor(deps: DriverDependencies) {
    this.#deps = deps
  }

  async init(): Promise<void> {}

  /** A caller's own AbortSignal counts when no scope is current. */
  acquireConnection(options?: AbortableOperationOptions): Promise<DatabaseConnection> {
    const current = this.#deps.currentScope()
    if (current || !options?.signal) return Lease.acquire(this.#deps, current)
    return this.#acquireFor(options.signal)
  }

  async #acquireFor(signal: AbortSignal): Promise<Lease> {
    const scope = new SignalScope(this.#deps.clock, signal)
    try {
      return await Lease.acquire(this.#deps, scope)
    } catch (error) {
      scope.end()
      throw error
    }
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    await leaseOf(connection).begin(settings)
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await leaseOf(connection).commit()
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await leaseOf(connection).rollback()
  }

  async savepoint(connection: DatabaseConnection, name: string, compile: QueryCompiler['compileQuery']): Promise<void> {
    await leaseOf(connection).control(savepointQuery('savepoint', name, compile))
  }

  async rollbackToSavepoint(
    connection: DatabaseConnection,
    name: string,
    compile: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await leaseOf(connection).control(savepointQuery('rollback to', name, compile))
  }

  async releaseSavepoint(
    connection: DatabaseConnection,
    name: string,
    compile: QueryCompiler['compileQuery'],
  ): Promise<void> {
    await leaseOf(connection).control(savepointQuery('release savepoint', name, compile))
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    const lease = leaseOf(connection)
    lease.release()
    if (lease.scope instanceof SignalScope) lease.scope.end()
  }

  async destroy(): Promise<void> {
    await this.#deps.source.close({ deadlineMs: DESTROY_DEADLINE_MS })
  }
}

/** Kysely hands back what this driver gave it. */
function leaseOf(connection: DatabaseConnection): Lease {
  if (!(connection instanceof Lease)) throw new TypeError('not a connection of this driver')
  return connection
}

function savepointQuery(command: string, name: string, compile: QueryCompiler['compileQuery']): CompiledQuery {
  const node = RawNode.createWithChildren([RawNode.createWithSql(`${command} `), IdentifierNode.create(name)])
  return compile(node, createQueryId())
}
