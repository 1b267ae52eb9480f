import type { Clock } from '../clock.ts'
import type { Member, Members } from './members.ts'
import type { ServerState, SessionControl } from './session-control.ts'

/** Longest time of a check, in ms: a kubelet waits 1 s. */
export const CHECK_TIMEOUT_MS = 500
/** While something is missing the pool is looked at again this often, in ms. */
const LOOK_EVERY_MS = 20
/** A connection in use that was alive so lately proves that the database answers, in ms. */
const PROVEN_WITHIN_MS = 1000

/** What a check of the pool found and did. */
export interface PoolCheck {
  /** Idle connections that were pinged. */
  readonly checked: number
  readonly alive: number
  readonly evicted: number
  /** Connections opened meanwhile, in their place for the most part. */
  readonly opened: number
  /** Of those alive. */
  readonly pingsMs: readonly number[]
  /** Undefined when the server could not be asked beside the pool. */
  readonly server: ServerState | undefined
  /** How long the server's answer took, in ms. */
  readonly serverMs: number | undefined
  /** Whether anything proves that the database answers. */
  readonly isAnswering: boolean
  /** The last attempt to connect, if it failed. */
  readonly lastFailure: unknown
}

export interface PoolCheckDependencies {
  readonly clock: Clock
  readonly members: Members
  readonly control: SessionControl
  /** Pings an idle connection; evicts it when it is dead. */
  readonly validate: (member: Member) => Promise<boolean>
  /** Opens connections until there are so many; 0: no more than otherwise. */
  readonly keepOpen: (count: number) => void
  readonly lastFailure: () => unknown
}

/**
 * Pings every idle connection at once, replaces those that are dead, and asks the server about itself beside the pool:
 * no caller waits for it, and no connection in use is touched. Ends within `CHECK_TIMEOUT_MS`.
 */
export async function checkPool(deps: PoolCheckDependencies): Promise<PoolCheck> {
  const { clock, members, keepOpen } = deps
  const idle = members.idle()
  const { total, added } = members
  const pingsMs: number[] = []
  let evicted = 0
  let server: ServerState | undefined
  let serverMs: number | undefined
  let isOver = false

  const pause = () => new Promise<void>((resolve) => clock.schedule(LOOK_EVERY_MS, resolve))
  const cancelDeadline = clock.schedule(CHECK_TIMEOUT_MS, () => {
    isOver = true
    end.resolve()
  })
  const end = Promise.withResolvers<void>()

  async function ping(member: Member): Promise<void> {
    const startedAtMs = clock.now()
    if (await deps.validate(member)) pingsMs.push(clock.now() - startedAtMs)
    else evicted += 1
  }

  /** Again and again: the attempt to connect that a recovering database meets first may be an old one. */
  async function ask(): Promise<void> {
    while (!isOver && !server) {
      const startedAtMs = clock.now()
      server = await deps.control.describe()
      if (server) serverMs = clock.now() - startedAtMs
      else await pause()
    }
  }

  keepOpen(total)
  await Promise.race([Promise.all([ask(), ...idle.map(ping)]), end.promise])
  while (!isOver && members.total < total) await pause()
  cancelDeadline()
  keepOpen(0)

  const isAnswering = server !== undefined || pingsMs.length > 0 || isProven(members, clock.now())
  return {
    checked: idle.length,
    alive: pingsMs.length,
    evicted,
    opened: members.added - added,
    pingsMs: [...pingsMs], // what comes too late is not reported
    server,
    serverMs,
    isAnswering,
    lastFailure: deps.lastFailure(),
  }
}

function isProven(members: Members, nowMs: number): boolean {
  return members.all().some(({ connection }) => nowMs - connection.lastAliveAtMs < PROVEN_WITHIN_MS)
}
