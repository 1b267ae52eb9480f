import type { Clock } from '../clock.ts'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'
import type { LoopTurn } from './loop-turn.ts'
import type { SessionControl } from './session-control.ts'

/** A read without an answer for so long, in ms, may have gone into a flow that the network has forgotten. */
const LATE_AFTER_MS = 100
/** How long the server may take to say that the session is busy, in ms: then the read is slow, and not lost. */
const WORD_WITHIN_MS = 50

export interface LateReadsDependencies {
  readonly clock: Clock
  readonly turn: LoopTurn
  readonly link: Link
  readonly control: SessionControl
}

/** What is done about a read. */
export interface LateReadHandler {
  /** It is late: slow, or lost. */
  readonly onLate: () => void
  /** The server is at work on it. */
  readonly onBusy: () => void
  /** The server is not, or does not say: no answer may ever come. */
  readonly onSilent: () => void
}

interface WatchedRead {
  readonly connection: Connection
  readonly handler: LateReadHandler
  isAnswered: boolean
}

/**
 * Watches reads that were sent over connections which nobody has heard of for a while. What is slow shall not run twice:
 * so when a read is late its server is asked first, for all late ones together, and at most for a moment.
 */
export class LateReads {
  readonly #deps: LateReadsDependencies
  #late: WatchedRead[] = []

  constructor(deps: LateReadsDependencies) {
    this.#deps = deps
  }

  /** Watches the read that `connection` is about to run. Returns what ends that: the read was answered, or nobody waits. */
  watch(connection: Connection, handler: LateReadHandler): () => void {
    const { clock, link } = this.#deps
    const read: WatchedRead = { connection, handler, isAnswered: false }
    const cancel = clock.schedule(link.boundMs(LATE_AFTER_MS, clock.now()), () => {
      if (this.#late.push(read) === 1) void this.#ask()
    })
    return () => {
      read.isAnswered = true
      cancel()
    }
  }

  async #ask(): Promise<void> {
    // After a stall of the event loop their answers may be there, and nobody has read them yet.
    await this.#deps.turn.pollOnce()
    const late = this.#late.filter(({ isAnswered }) => !isAnswered)
    this.#late = []
    if (late.length === 0) return
    for (const { handler } of late) handler.onLate()
    const { clock, link, control } = this.#deps
    const noWord = Promise.withResolvers<undefined>()
    const cancel = clock.schedule(link.boundMs(WORD_WITHIN_MS, clock.now()), () => noWord.resolve(undefined))
    const sessions = late.map(({ connection }) => connection.session)
    const states = await Promise.race([control.inspect(sessions), noWord.promise])
    cancel()
    for (const { connection, handler, isAnswered } of late) {
      if (isAnswered) continue
      const state = states?.get(connection.session)
      if (state === 'busy' || state === 'hidden') handler.onBusy()
      else handler.onSilent()
    }
  }
}
