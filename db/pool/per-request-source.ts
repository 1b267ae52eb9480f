import type { Scope } from '../scope.ts'
import type { Connection } from './connection.ts'
import type { ConnectionSource } from './connection-source.ts'
import type { Connect } from './connector.ts'
import type { PoolStats } from './stats.ts'

/** A new connection for each use, closed after it: what people do who do not trust pools, and a yardstick for ours. */
export class PerRequestSource implements ConnectionSource {
  readonly #connect: Connect
  readonly #open = new Set<Connection>()
  #connecting = 0

  constructor({ connect }: { readonly connect: Connect }) {
    this.#connect = connect
  }

  get stats(): PoolStats {
    return { total: this.#open.size, idle: 0, acquired: this.#open.size, waiting: 0, connecting: this.#connecting }
  }

  async acquire(scope?: Scope): Promise<Connection> {
    if (scope?.reason) throw scope.reason
    this.#connecting += 1
    try {
      const connection = await this.#connect(() => {})
      this.#open.add(connection)
      if (!scope?.reason) return connection
      this.release(connection)
      throw scope.reason
    } finally {
      this.#connecting -= 1
    }
  }

  release(connection: Connection): void {
    this.#open.delete(connection)
    if (connection.isBusy) connection.destroy(new Error('released'))
    else connection.quit()
  }

  /** Every connection is new, so each asks anew which server it is. */
  moveAway(): void {}

  /** There is no control connection: the server finds out by itself. */
  endSession(): void {}

  async close(): Promise<void> {
    for (const connection of this.#open) this.release(connection)
  }
}
