import type { Clock } from '../clock.ts'
import type { LoopTurn } from './loop-turn.ts'

/** An attempt that has heard nothing for so long is no longer counted on, in ms. */
const SILENT_AFTER_MS = 1000
/** How often it is looked whether bytes have come, in ms. */
const LOOK_EVERY_MS = 250

/** How long an attempt to connect may take, in ms. */
export interface AttemptLimits {
  /** Until the socket is accepted. */
  readonly connectTimeoutMs: number
  /** From then on: greeting, TLS, login and session set-up. */
  readonly handshakeTimeoutMs: number
}

/** What of a socket shows that the server is at work. */
interface WatchedSocket {
  readonly bytesRead: number
  once(event: 'connect', listener: () => void): unknown
}

export interface AttemptWatchDependencies {
  readonly clock: Clock
  readonly turn: LoopTurn
  /** Nothing was heard for `SILENT_AFTER_MS`; it may still come. */
  readonly onSilent: () => void
  /** Something was heard after all. */
  readonly onHeard: () => void
  /** Its time is up. */
  readonly onTimeout: (error: Error) => void
}

/**
 * Watches one attempt to connect by its progress: being accepted, and each byte from the server. One that is not accepted
 * ends soon; one that is waits for long, since servers count handshakes that were given up, and block who does it often.
 */
export class AttemptWatch {
  readonly #limits: AttemptLimits
  readonly #deps: AttemptWatchDependencies
  #socket: WatchedSocket | undefined
  #dueAtMs = Number.POSITIVE_INFINITY
  #isAccepted = false
  #bytes = 0
  #heardAtMs: number
  #isSilent = false
  #isOver = false
  #cancel = () => {}

  /** Starts to watch; until there is a socket only for silence. */
  constructor(limits: AttemptLimits, deps: AttemptWatchDependencies) {
    this.#limits = limits
    this.#deps = deps
    this.#heardAtMs = deps.clock.now()
    this.#lookLater(this.#heardAtMs)
  }

  watch(socket: WatchedSocket): void {
    const { clock } = this.#deps
    this.#socket = socket
    this.#dueAtMs = clock.now() + this.#limits.connectTimeoutMs
    socket.once('connect', () => {
      if (this.#isOver) return
      this.#isAccepted = true
      this.#dueAtMs = clock.now() + this.#limits.handshakeTimeoutMs
      this.#heard(clock.now())
      this.#lookLater(clock.now())
    })
    this.#lookLater(clock.now())
  }

  stop(): void {
    this.#isOver = true
    this.#cancel()
  }

  #look(): void {
    if (this.#isOver) return
    const nowMs = this.#deps.clock.now()
    const bytes = this.#socket?.bytesRead ?? 0
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#heard(nowMs)
    }
    if (nowMs >= this.#dueAtMs) {
      this.stop()
      this.#deps.onTimeout(this.#timeout())
      return
    }
    if (!this.#isSilent && nowMs - this.#heardAtMs >= SILENT_AFTER_MS) {
      this.#isSilent = true
      this.#deps.onSilent()
    }
    this.#lookLater(nowMs)
  }

  #heard(nowMs: number): void {
    this.#heardAtMs = nowMs
    if (!this.#isSilent) return
    this.#isSilent = false
    this.#deps.onHeard()
  }

  #lookLater(nowMs: number): void {
    const { clock, turn } = this.#deps
    const silentAtMs = this.#isSilent ? Number.POSITIVE_INFINITY : this.#heardAtMs + SILENT_AFTER_MS
    const delayMs = Math.min(LOOK_EVERY_MS, silentAtMs - nowMs, this.#dueAtMs - nowMs)
    this.#cancel()
    // After a stall of the event loop the timer comes before what the kernel holds.
    const look = () => void turn.pollOnce().then(() => this.#look())
    // Whoever waits for a connection has a timer of its own.
    this.#cancel = clock.schedule(Math.max(1, Math.ceil(delayMs)), look, { isUpkeep: true })
  }

  /** As the driver marks its own. */
  #timeout(): Error {
    const { connectTimeoutMs, handshakeTimeoutMs } = this.#limits
    const what = this.#isAccepted ? `not set up in ${handshakeTimeoutMs} ms` : `not accepted in ${connectTimeoutMs} ms`
    return Object.assign(new Error(what), { code: 'ETIMEDOUT', fatal: true })
  }
}

/** What is told of a database that says nothing, while it is still waited for. */
export function silenceError(): Error {
  return Object.assign(new Error(`no answer for ${SILENT_AFTER_MS} ms`), { code: 'ETIMEDOUT', fatal: true })
}
