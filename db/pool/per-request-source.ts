import type { Clock } from '../clock.ts'
import type { Scope } from '../scope.ts'
import type { Connection } from './connection.ts'
import type { ConnectionSource } from './connection-source.ts'
import type { Connector } from './connector.ts'
import type { Link } from './link.ts'
import { checkTimeoutMs, type PoolCheck } from './pool-check.ts'
import { describeServer } from './session-control.ts'
import type { PoolStats } from './stats.ts'

/** A new connection for each use, closed after it: what people do who do not trust pools, and a yardstick for ours. */
export class PerRequestSource implements ConnectionSource {
  /** Nobody waits for anybody here. */
  readonly isWedged = false
  readonly #connector: Connector
  readonly #clock: Clock
  readonly #link: Link
  readonly #open = new Set<Connection>()
  #connecting = 0

  constructor({
    connector,
    clock,
    link,
  }: { readonly connector: Connector; readonly clock: Clock; readonly link: Link }) {
    this.#connector = connector
    this.#clock = clock
    this.#link = link
  }

  get stats(): PoolStats {
    return { total: this.#open.size, idle: 0, acquired: this.#open.size, waiting: 0, connecting: this.#connecting }
  }

  async acquire(scope?: Scope): Promise<Connection> {
    if (scope?.reason) throw scope.reason
    this.#connecting += 1
    try {
      const connection = await this.#connect()
      this.#open.add(connection)
      if (!scope?.reason) return connection
      this.release(connection)
      throw scope.reason
    } finally {
      this.#connecting -= 1
    }
  }

  #connect(): Promise<Connection> {
    return this.#connector.connect({ onDeath: () => {}, isAwaited: true }).connection
  }

  release(connection: Connection): void {
    this.#open.delete(connection)
    if (connection.isBusy) connection.destroy(new Error('released'))
    else connection.quit()
  }

  /** Every connection is new. */
  async prove(connection: Connection): Promise<Connection> {
    return connection
  }

  watch(): () => void {
    return () => {}
  }

  /** There are no idle connections: one is opened, asked and closed. */
  async check(): Promise<PoolCheck> {
    const startedAtMs = this.#clock.now()
    const none = { checked: 0, alive: 0, evicted: 0, opened: 0, pingsMs: [] }
    const late = Promise.withResolvers<PoolCheck>()
    const failed = (lastFailure: unknown) => ({
      ...none,
      server: undefined,
      serverMs: undefined,
      isAnswering: false,
      lastFailure,
    })
    const cancel = this.#clock.schedule(checkTimeoutMs(this.#link, startedAtMs), () => late.resolve(failed(undefined)))
    const ask = async (): Promise<PoolCheck> => {
      const connection = await this.#connect()
      const server = await describeServer(connection)
      connection.quit()
      const serverMs = this.#clock.now() - startedAtMs
      return { ...none, opened: 1, server, serverMs, isAnswering: server !== undefined, lastFailure: undefined }
    }
    const check = await Promise.race([ask().catch(failed), late.promise])
    cancel()
    return check
  }

  /** Every connection is new, so each asks anew which server it is. */
  moveAway(): void {}

  /** There is no control connection: the server finds out by itself. */
  endSession(): void {}

  async close(): Promise<void> {
    for (const connection of this.#open) this.release(connection)
  }
}
