import type { Connection } from './connection.ts'
import type { EvictReason } from './stats.ts'

/** Where a connection of the pool is. */
export type MemberState =
  | { readonly name: 'idle' }
  /** Nobody's: being asked whether it is alive. */
  | { readonly name: 'validating' }
  /** `deadlineAtMs`: when its holder's time is up; Infinity for one without. */
  | { readonly name: 'acquired'; readonly sinceMs: number; readonly deadlineAtMs: number }
  /** Given back; the session is being cleaned, or a statement whose caller left is being ended. */
  | { readonly name: 'settling' }
  | { readonly name: 'evicted'; readonly reason: EvictReason }

/** One connection of the pool. */
export interface Member {
  readonly connection: Connection
  readonly retireAtMs: number
  /** The generation it was opened in; asked and found alive, it joins the current one. */
  generation: number
  state: MemberState
  /** Why it shall go at its release. */
  retiredFor: EvictReason | undefined
}

const transitions: Readonly<Record<MemberState['name'], readonly MemberState['name'][]>> = {
  idle: ['acquired', 'validating', 'evicted'],
  validating: ['idle', 'acquired', 'evicted'],
  acquired: ['idle', 'acquired', 'validating', 'settling', 'evicted'],
  settling: ['idle', 'acquired', 'evicted'],
  evicted: [],
}

/** The connections of the pool, each in one state. */
export class Members {
  readonly #byConnection = new Map<Connection, Member>()
  /** Last used last: the busy end stays warm, the other may grow old. */
  #idle: Member[] = []
  readonly #counts = { idle: 0, validating: 0, acquired: 0, settling: 0, evicted: 0 }
  #added = 0
  #handovers = 0

  get total(): number {
    return this.#byConnection.size
  }

  /** How many there have been, those that are gone included. */
  get added(): number {
    return this.#added
  }

  /** How often one was acquired or given back: stands still in a pool that is stuck. */
  get handovers(): number {
    return this.#handovers
  }

  count(state: MemberState['name']): number {
    return this.#counts[state]
  }

  get(connection: Connection): Member | undefined {
    return this.#byConnection.get(connection)
  }

  add(member: Member): void {
    this.#byConnection.set(member.connection, member)
    this.#counts[member.state.name] += 1
    this.#added += 1
  }

  /** The only place where a state changes; throws on a step that no connection takes. */
  move(member: Member, state: MemberState): void {
    const from = member.state.name
    if (!transitions[from].includes(state.name)) throw new Error(`a connection went from ${from} to ${state.name}`)
    if (from === 'idle') this.#forgetIdle(member)
    if (from === 'acquired' || state.name === 'acquired') this.#handovers += 1
    member.state = state
    this.#counts[from] -= 1
    this.#counts[state.name] += 1
    if (state.name === 'idle') this.#idle.push(member)
    if (state.name === 'evicted') this.#byConnection.delete(member.connection)
  }

  /** The idle connection used last among those that `isUsable` accepts. */
  findIdle(isUsable: (member: Member) => boolean): Member | undefined {
    return this.#idle.findLast(isUsable)
  }

  /** A copy, longest unused first. */
  idle(): readonly Member[] {
    return [...this.#idle]
  }

  all(): readonly Member[] {
    return [...this.#byConnection.values()]
  }

  #forgetIdle(member: Member): void {
    if (this.#idle.at(-1) === member) this.#idle.pop()
    else this.#idle = this.#idle.filter((other) => other !== member)
  }
}
