import type { Clock } from '../clock.ts'
import type { Link } from './link.ts'
import type { Member, Members } from './members.ts'
import type { ServerState, SessionControl } from './session-control.ts'

/** Time of a check, in ms; on a slow link it takes what a kubelet, which waits 1 s, can spare. */
const CHECK_TIMEOUT_MS = 500
const MAX_CHECK_TIMEOUT_MS = 800
/** While something is missing the pool is looked at again this often, in ms. */
const LOOK_EVERY_MS = 20
/** A connection that was alive so lately proves that the database answers, in ms. */
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
  readonly link: Link
  /** Of a ping. */
  readonly validationTimeoutMs: number
  /** Pings an idle connection; evicts it when it is dead. */
  readonly validate: (member: Member) => Promise<boolean>
  /** Opens connections until there are so many; 0: no more than otherwise. */
  readonly keepOpen: (count: number) => void
  readonly lastFailure: () => unknown
}

/**
 * Pings every idle connection at once, replaces those that are dead, and asks the server about itself beside the pool:
 * no caller waits for it, and no connection in use is touched. Ends within `checkTimeoutMs`.
 */
export async function checkPool(deps: PoolCheckDependencies): Promise<PoolCheck> {
  const { clock, members, link, keepOpen } = deps
  const idle = members.idle()
  const { total, added } = members
  const pingsMs: number[] = []
  let evicted = 0
  let server: ServerState | undefined
  let serverMs: number | undefined
  let isOver = false

  const pause = () => new Promise<void>((resolve) => clock.schedule(LOOK_EVERY_MS, resolve))
  const timeoutMs = checkTimeoutMs(link, clock.now())
  const cancelDeadline = clock.schedule(timeoutMs, () => {
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

  // On a slow link an answer may come after the check, and be in time.
  const areDue = link.boundMs(deps.validationTimeoutMs, clock.now()) <= timeoutMs
  const isAwaited = !areDue && pingsMs.length + evicted < idle.length
  const isAnswering = server !== undefined || pingsMs.length > 0 || isAwaited || isProven(deps)
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

/** How long a check may take: what three round trips take, as far as its askers have the time. */
export function checkTimeoutMs(link: Link, nowMs: number): number {
  return Math.min(link.boundMs(CHECK_TIMEOUT_MS, nowMs), MAX_CHECK_TIMEOUT_MS)
}

function isProven({ clock, members, link }: PoolCheckDependencies): boolean {
  const nowMs = clock.now()
  const withinMs = link.boundMs(PROVEN_WITHIN_MS, nowMs)
  return members.all().some(({ connection }) => nowMs - connection.lastAliveAtMs < withinMs)
}
