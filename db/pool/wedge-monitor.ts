import type { Clock } from '../clock.ts'
import type { Connection } from './connection.ts'
import type { Member, Members } from './members.ts'
import { WedgeWatch } from './wedge.ts'

export interface WedgeMonitorDependencies {
  readonly clock: Clock
  readonly members: Members
  /** How many callers wait. */
  readonly waiting: () => number
  /** A connection that is not the pool's; undefined when none can be had. */
  readonly openOutside: () => Promise<Connection | undefined>
}

/** Looks at the pool on each tick of its upkeep, so that whoever asks whether it is wedged is answered at once. */
export class WedgeMonitor {
  readonly #watch: WedgeWatch
  readonly #deps: WedgeMonitorDependencies

  constructor(wedgedAfterMs: number, deps: WedgeMonitorDependencies) {
    this.#watch = new WedgeWatch(wedgedAfterMs)
    this.#deps = deps
  }

  get isWedged(): boolean {
    return this.#watch.isWedged
  }

  async check(): Promise<void> {
    const { clock, members, waiting, openOutside } = this.#deps
    const nowMs = clock.now()
    const isEveryHolderLate = members.all().every((member) => isLate(member, nowMs))
    const moment = { nowMs, waiting: waiting(), handovers: members.handovers, isEveryHolderLate }
    if (!this.#watch.observe(moment)) return
    const connection = await openOutside()
    connection?.quit()
    this.#watch.tried(clock.now(), connection !== undefined)
  }
}

/** A holder without a deadline is late when the server has nothing to do for it: it may well wait for a long statement. */
function isLate({ state, connection }: Member, nowMs: number): boolean {
  if (state.name !== 'acquired') return true
  return state.deadlineAtMs === Infinity ? !connection.isBusy : nowMs > state.deadlineAtMs
}
