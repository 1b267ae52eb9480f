import type { Clock } from '../clock.ts'
import type { Connection } from './connection.ts'
import type { Member } from './members.ts'
import type { SessionControl } from './session-control.ts'

/** A statement running for longer is asked about, in ms, and again as often as this. */
const SUSPECT_AFTER_MS = 500
/** An answer may be on its way while the server already says "idle": it is asked twice, this far apart, in ms. */
const CONFIRM_AFTER_MS = 100

/**
 * Tells a slow statement from a forgotten connection: the server is asked whether the session is there and busy. Where
 * it is not, no answer will ever come, and the statement's caller is told now instead of at its deadline.
 */
export class FlowMonitor {
  readonly #clock: Clock
  readonly #control: SessionControl
  #isAsking = false
  #askedAtMs = Number.NEGATIVE_INFINITY

  constructor({ clock, control }: { readonly clock: Clock; readonly control: SessionControl }) {
    this.#clock = clock
    this.#control = control
  }

  /** Asks about every statement that runs for long; does nothing while the last question is not answered. */
  async check(members: readonly Member[]): Promise<void> {
    const nowMs = this.#clock.now()
    if (this.#isAsking || nowMs - this.#askedAtMs < SUSPECT_AFTER_MS) return
    const suspects = members.filter(({ connection }) => connection.runningMs(nowMs) >= SUSPECT_AFTER_MS)
    if (suspects.length === 0) return
    this.#isAsking = true
    this.#askedAtMs = nowMs
    try {
      await this.#endForgotten(suspects)
    } finally {
      this.#isAsking = false
    }
  }

  async #endForgotten(suspects: readonly Member[]): Promise<void> {
    const before = new Map(
      suspects.map(({ connection }) => [connection, { mark: connection.runningMark, bytes: connection.receivedBytes }]),
    )
    const isSame = (connection: Connection) =>
      connection.runningMark === before.get(connection)?.mark &&
      connection.receivedBytes === before.get(connection)?.bytes &&
      connection.runningMs(this.#clock.now()) >= SUSPECT_AFTER_MS
    const first = await this.#notBusy(suspects)
    if (first.length === 0) return
    await new Promise<void>((resolve) => this.#clock.schedule(CONFIRM_AFTER_MS, resolve))
    const forgotten = await this.#notBusy(first.filter(({ connection }) => isSame(connection)))
    for (const member of forgotten.filter(({ connection }) => isSame(connection))) {
      member.retiredFor = 'forgotten'
      member.connection.destroy(
        new Error('the server knows of no running statement: the network forgot the connection'),
      )
    }
  }

  async #notBusy(members: readonly Member[]): Promise<readonly Member[]> {
    if (members.length === 0) return []
    const states = await this.#control.inspect(members.map(({ connection }) => connection.session))
    return members.filter(({ connection }) => {
      const state = states?.get(connection.session)
      return state === 'idle' || state === 'gone'
    })
  }
}
