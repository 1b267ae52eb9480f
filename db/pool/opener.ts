import { classifyConnectError } from '../classify-error.ts'
import type { Clock } from '../clock.ts'
import { silenceError } from './attempt-watch.ts'
import type { ConnectGate, Ticket, Urgency } from './connect-gate.ts'
import type { Connection } from './connection.ts'
import type { Attempt, Connector } from './connector.ts'
import type { PoolEvent } from './stats.ts'

/** What the pool wants. */
interface Demand {
  /** How many more connections, those under way included. */
  readonly count: number
  /** How many attempts it has room for, silent ones included. */
  readonly room: number
  readonly urgency: Urgency
}

export interface OpenerDependencies {
  readonly connector: Connector
  readonly gate: ConnectGate
  readonly clock: Clock
  readonly demand: () => Demand
  readonly onOpened: (connection: Connection) => void
  readonly onFailed: () => void
  readonly onDeath: OnDeath
  readonly onEvent: (event: PoolEvent) => void
}

type OnDeath = (connection: Connection) => void

/** An attempt, and when it started to be silent. */
interface UnderWay {
  readonly attempt: Attempt
  readonly ticket: Ticket
  silentSinceMs: number | undefined
}

/** Somebody who wants a connection outside the pool. */
interface Request {
  readonly onDeath: OnDeath
  readonly resolve: (connection: Connection | undefined) => void
}

/** Most attempts under way at once, silent ones included. */
const MAX_UNDER_WAY = 16
/** Where there is no room for another attempt, one that has been silent for so long gives way, in ms. */
const GIVES_WAY_AFTER_MS = 4000
/** How long a connection outside the pool waits for its turn, in ms. */
const OUTSIDE_PATIENCE_MS = 300
/** How often a password that was refused is looked at again while somebody needs a connection, in ms. */
const PASSWORD_LOOK_MS = 250

/** Opens connections: as many as are wanted, no faster than the gate allows, and knows when the database is away. */
export class Opener {
  readonly #deps: OpenerDependencies
  /** Oldest first. */
  readonly #underWay = new Set<UnderWay>()
  readonly #requests: Request[] = []
  #cancelTimer: (() => void) | undefined
  #outage: { readonly sinceMs: number; attempts: number } | undefined
  #lastFailure: unknown
  #openedAtMs = Number.NEGATIVE_INFINITY
  #passwordLookAtMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(deps: OpenerDependencies) {
    this.#deps = deps
  }

  /** Attempts that are counted on: those that are silent apart, which may still wait long after others got through. */
  get countedOn(): number {
    return this.#underWay.size - this.#silent().length
  }

  /** The last attempt's error, or that the server is silent; undefined when the last one succeeded. */
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
      const delayMs = this.#delayMs()
      if (delayMs === undefined) return
      if (delayMs > 0) {
        // Whoever waits for a connection has a timer of its own.
        this.#cancelTimer = this.#deps.clock.schedule(Math.ceil(delayMs), () => this.pump(), { isUpkeep: true })
        return
      }
      void this.#start()
    }
  }

  /** One connection outside the pool; undefined when the gate does not allow it soon, or the server refuses or is silent. */
  openOutside(onDeath: OnDeath): Promise<Connection | undefined> {
    const { clock, gate } = this.#deps
    const delayMs = gate.delayMs(clock.now(), 'high') ?? 0 // what is under way may be for it
    if (this.#isClosed || delayMs > OUTSIDE_PATIENCE_MS) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#requests.push({ onDeath, resolve })
      this.pump()
    })
  }

  /** Starts nothing more. What is under way ends by itself, politely. */
  close(): void {
    this.#isClosed = true
    this.#cancelTimer?.()
    this.#refuseRequests()
  }

  /** How long until another attempt is wanted and allowed, in ms; undefined: not before something else happens. */
  #delayMs(): number | undefined {
    const { clock, gate, demand } = this.#deps
    const nowMs = clock.now()
    const { count, room, urgency } = demand()
    const outside = this.#requests.length
    if (this.countedOn >= count + outside) return undefined
    const delayMs = gate.delayMs(nowMs, outside > 0 ? 'high' : urgency)
    if (delayMs === undefined) return undefined
    if (delayMs > 0) return this.#lookAtPassword(nowMs, urgency) ? Math.min(delayMs, PASSWORD_LOOK_MS) : delayMs
    return this.#underWay.size < Math.min(MAX_UNDER_WAY, room + outside) ? 0 : this.#makeRoom(nowMs)
  }

  #silent(): readonly UnderWay[] {
    return [...this.#underWay].filter(({ silentSinceMs }) => silentSinceMs !== undefined)
  }

  #makeRoom(nowMs: number): number | undefined {
    const [oldest] = this.#silent()
    if (oldest?.silentSinceMs === undefined) return undefined
    const leftMs = oldest.silentSinceMs + GIVES_WAY_AFTER_MS - nowMs
    if (leftMs > 0) return leftMs
    this.#underWay.delete(oldest)
    this.#deps.gate.abandoned(oldest.ticket)
    oldest.attempt.abandon()
    return 0
  }

  /** Whether somebody waits for another password; looks whether there is one. */
  #lookAtPassword(nowMs: number, urgency: Urgency): boolean {
    const { gate, connector } = this.#deps
    if (!gate.isRefused || urgency === 'low') return false
    if (nowMs - this.#passwordLookAtMs < PASSWORD_LOOK_MS) return true
    this.#passwordLookAtMs = nowMs
    const use = (isNew: boolean) => {
      if (!isNew) return
      gate.forgiveRefusals()
      this.pump()
    }
    connector.hasNewCredentials().then(use, () => {}) // one that cannot be had is not tried
    return true
  }

  async #start(): Promise<void> {
    const { clock, gate, connector } = this.#deps
    const ticket = gate.started(clock.now())
    let onDeath: OnDeath = () => {}
    const attempt = connector.connect({
      onDeath: (connection) => onDeath(connection),
      onSilent: () => this.#fellSilent(underWay),
      onHeard: () => this.#heard(underWay),
    })
    const underWay: UnderWay = { attempt, ticket, silentSinceMs: undefined }
    this.#underWay.add(underWay)
    try {
      const connection = await attempt.connection
      onDeath = this.#opened(underWay, connection)
    } catch (error) {
      this.#failed(underWay, error)
    }
    this.pump()
  }

  /** Gives the connection to whoever needs it most; returns who wants to know of its death. */
  #opened(underWay: UnderWay, connection: Connection): OnDeath {
    const { clock, gate, demand, onEvent, onOpened } = this.#deps
    const { ticket } = underWay
    if (!this.#underWay.delete(underWay)) {
      connection.quit() // abandoned in the same moment
      return () => {}
    }
    const { count, urgency } = demand()
    const request = count === 0 || urgency !== 'high' ? this.#requests.shift() : undefined
    // Outside the pool it serves by being there: what it may be asked is seldom asked.
    const isServing = () =>
      connection.lastAliveAtMs > connection.createdAtMs || (request !== undefined && !connection.isDead)
    gate.opened(ticket, clock.now(), isServing)
    this.#lastFailure = undefined
    this.#openedAtMs = clock.now()
    onEvent({ name: 'opened', durationMs: this.#openedAtMs - ticket.startedAtMs })
    this.#endOutage()
    if (!request) {
      onOpened(connection)
      return this.#deps.onDeath
    }
    request.resolve(connection)
    return request.onDeath
  }

  #failed(underWay: UnderWay, error: unknown): void {
    const { clock, gate, onEvent, onFailed } = this.#deps
    const { ticket } = underWay
    if (!this.#underWay.delete(underWay)) return // abandoned
    onEvent({ name: 'connectFailed', cause: error })
    // Others that started later have got through: it says nothing any more.
    if (ticket.isSilent && ticket.startedAtMs < this.#openedAtMs) {
      gate.abandoned(ticket)
      return
    }
    gate.failed(ticket, clock.now(), classifyConnectError(error) === 'credentials')
    this.#takeNotice(ticket, error)
    this.#refuseRequests()
    onFailed()
  }

  #fellSilent(underWay: UnderWay): void {
    const { clock, gate } = this.#deps
    underWay.silentSinceMs = clock.now()
    gate.fellSilent(underWay.ticket)
    this.#takeNotice(underWay.ticket, silenceError())
    this.#refuseRequests()
    this.pump()
  }

  #heard(underWay: UnderWay): void {
    underWay.silentSinceMs = undefined
    this.#deps.gate.heard(underWay.ticket)
    this.pump()
  }

  /** Whoever wanted a connection outside the pool asks again, or does without. */
  #refuseRequests(): void {
    for (const request of this.#requests.splice(0)) request.resolve(undefined)
  }

  #takeNotice(ticket: Ticket, error: unknown): void {
    this.#lastFailure = error
    if (!this.#outage) this.#deps.onEvent({ name: 'outageStarted', cause: error })
    this.#outage ??= { sinceMs: ticket.startedAtMs, attempts: 0 }
    this.#outage.attempts += 1
  }

  #endOutage(): void {
    if (!this.#outage) return
    const { sinceMs, attempts } = this.#outage
    this.#outage = undefined
    this.#deps.onEvent({ name: 'outageEnded', durationMs: this.#deps.clock.now() - sinceMs, attempts })
  }
}
