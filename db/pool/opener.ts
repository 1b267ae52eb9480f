import { classifyConnectError } from '../classify-error.ts'
import type { Clock } from '../clock.ts'
import type { ConnectGate, Urgency } from './connect-gate.ts'
import type { Connection } from './connection.ts'
import type { Connect } from './connector.ts'
import type { PoolEvent } from './stats.ts'

/** How many more connections are wanted, those under way included. */
interface Demand {
  readonly count: number
  readonly urgency: Urgency
}

export interface OpenerDependencies {
  readonly connect: Connect
  readonly gate: ConnectGate
  readonly clock: Clock
  readonly demand: () => Demand
  readonly onOpened: (connection: Connection) => void
  readonly onFailed: () => void
  readonly onDeath: (connection: Connection) => void
  readonly onEvent: (event: PoolEvent) => void
}

/** Opens connections: as many as are wanted, no faster than the gate allows, and knows when the database is away. */
export class Opener {
  readonly #deps: OpenerDependencies
  #underWay = 0
  #cancelTimer: (() => void) | undefined
  #outage: { readonly sinceMs: number; attempts: number } | undefined
  #lastFailure: unknown
  #isClosed = false

  constructor(deps: OpenerDependencies) {
    this.#deps = deps
  }

  /** Attempts under way, the control connection's not among them. */
  get underWay(): number {
    return this.#underWay
  }

  /** The last attempt's error; undefined when it succeeded. */
  get lastFailure(): unknown {
    return this.#lastFailure
  }

  /** Whether the last attempt failed in a way that time does not mend. */
  get isRefused(): boolean {
    const verdict = this.#lastFailure === undefined ? 'transient' : classifyConnectError(this.#lastFailure)
    return verdict === 'permanent' || verdict === 'credentials'
  }

  /** Starts what is wanted and allowed, and comes back by itself for the rest. */
  pump(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    while (!this.#isClosed) {
      const { count, urgency } = this.#deps.demand()
      if (count <= this.#underWay) return
      const delayMs = this.#deps.gate.delayMs(this.#deps.clock.now(), urgency)
      if (delayMs === undefined) return
      if (delayMs > 0) {
        // Whoever waits for a connection has a timer of its own.
        this.#cancelTimer = this.#deps.clock.schedule(Math.ceil(delayMs), () => this.pump(), { isUpkeep: true })
        return
      }
      void this.#openForPool()
    }
  }

  /** One connection outside the pool; undefined when the gate does not allow it soon or the attempt fails. */
  async openOutside(onDeath: (connection: Connection) => void): Promise<Connection | undefined> {
    const { clock, gate } = this.#deps
    const delayMs = gate.delayMs(clock.now(), 'high')
    if (delayMs === undefined || delayMs > OUTSIDE_PATIENCE_MS) return undefined
    if (delayMs > 0) await new Promise<void>((resolve) => clock.schedule(Math.ceil(delayMs), resolve))
    if (this.#isClosed || gate.delayMs(clock.now(), 'high') !== 0) return undefined
    try {
      return await this.#attempt(onDeath)
    } catch {
      return undefined // counted and reported by #attempt
    } finally {
      this.pump()
    }
  }

  close(): void {
    this.#isClosed = true
    this.#cancelTimer?.()
  }

  async #openForPool(): Promise<void> {
    this.#underWay += 1
    try {
      const connection = await this.#attempt(this.#deps.onDeath)
      this.#underWay -= 1
      this.#deps.onOpened(connection)
    } catch {
      this.#underWay -= 1 // the error is kept and reported by #attempt
      this.#deps.onFailed()
    }
    this.pump()
  }

  async #attempt(onDeath: (connection: Connection) => void): Promise<Connection> {
    const { clock, gate, connect, onEvent } = this.#deps
    const startedAtMs = clock.now()
    gate.started(startedAtMs)
    try {
      const connection = await connect(onDeath)
      gate.succeeded()
      this.#lastFailure = undefined
      onEvent({ name: 'opened', durationMs: clock.now() - startedAtMs })
      this.#endOutage()
      return connection
    } catch (error) {
      gate.failed()
      this.#lastFailure = error
      onEvent({ name: 'connectFailed', cause: error })
      if (!this.#outage) onEvent({ name: 'outageStarted', cause: error })
      this.#outage ??= { sinceMs: startedAtMs, attempts: 0 }
      this.#outage.attempts += 1
      throw error
    }
  }

  #endOutage(): void {
    if (!this.#outage) return
    const { sinceMs, attempts } = this.#outage
    this.#outage = undefined
    this.#deps.onEvent({ name: 'outageEnded', durationMs: this.#deps.clock.now() - sinceMs, attempts })
  }
}

/** How long a connection outside the pool waits for its turn, in ms. */
const OUTSIDE_PATIENCE_MS = 300
