import type { Clock } from '../clock.ts'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'
import type { Member } from './members.ts'
import type { SessionControl } from './session-control.ts'

/** A statement running for longer, or than a few round trips, is asked about, in ms, and again as often as this. */
const SUSPECT_AFTER_MS = 500
/** An answer may be on its way while the server already says "idle": it is asked twice, this far apart, in ms. */
const CONFIRM_AFTER_MS = 100

export interface FlowMonitorDependencies {
  readonly clock: Clock
  readonly control: SessionControl
  readonly link: Link
}

/**
 * Tells a slow statement from a forgotten connection: the server is asked whether the session is there and busy. Where
 * it is not, no answer will ever come, and the statement's caller is told now instead of at its deadline.
 */
export class FlowMonitor {
  readonly #clock: Clock
  readonly #control: SessionControl
  readonly #link: Link
  #isAsking = false
  #askedAtMs = Number.NEGATIVE_INFINITY

  constructor({ clock, control, link }: FlowMonitorDependencies) {
    this.#clock = clock
    this.#control = control
    this.#link = link
  }

  /** Asks about every statement that runs for long; does nothing while the last question is not answered. */
  async check(members: readonly Member[]): Promise<void> {
    const nowMs = this.#clock.now()
    const suspectAfterMs = this.#link.boundMs(SUSPECT_AFTER_MS, nowMs)
    if (this.#isAsking || nowMs - this.#askedAtMs < suspectAfterMs) return
    const suspects = members.filter(({ connection }) => connection.runningMs(nowMs) >= suspectAfterMs)
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
      connection.runningMs(this.#clock.now()) >= SUSPECT_AFTER_MS // a row stream's caller is not at work
    const first = await this.#notBusy(suspects)
    if (first.length === 0) return
    const confirmAfterMs = this.#link.boundMs(CONFIRM_AFTER_MS, this.#clock.now())
    await new Promise<void>((resolve) => this.#clock.schedule(confirmAfterMs, resolve))
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
