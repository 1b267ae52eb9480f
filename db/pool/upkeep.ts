import type { Clock } from '../clock.ts'
import { FlowMonitor } from './flow-monitor.ts'
import type { Link } from './link.ts'
import type { Member, Members } from './members.ts'
import type { PoolOptions } from './options.ts'
import type { SessionControl } from './session-control.ts'
import type { EvictReason } from './stats.ts'

/** How often the pool looks after itself, in ms. */
const TICK_MS = 250

export interface UpkeepDependencies {
  readonly clock: Clock
  readonly control: SessionControl
  readonly link: Link
  readonly members: Members
  readonly evict: (member: Member, reason: EvictReason) => void
  readonly validate: (member: Member) => void
  /** Opens the successor of the oldest connection, then retires it. */
  readonly replace: () => void
  /** Opens what is missing to the idle minimum. */
  readonly refill: () => void
  /** Looks whether the pool is wedged. */
  readonly watch: () => void
}

/**
 * Looks after connections that nobody uses: pings them before the server or the network loses patience, closes what is
 * not needed, replaces what is old, and watches statements that take long. Returns what stops it.
 */
export function startUpkeep(options: PoolOptions, deps: UpkeepDependencies): () => void {
  const { clock, control, members } = deps
  const monitor = new FlowMonitor(deps)
  let controlAskedAtMs = clock.now()
  let cancel = clock.schedule(TICK_MS, tick, { isUpkeep: true })

  function tick(): void {
    const nowMs = clock.now()
    for (const member of members.idle()) lookAfter(member, nowMs)
    if (members.all().some((member) => nowMs >= member.retireAtMs && !member.retiredFor)) deps.replace()
    if (nowMs - controlAskedAtMs >= options.keepaliveMs) {
      controlAskedAtMs = nowMs
      void control.keepalive()
    }
    void monitor.check(members.all())
    deps.refill()
    deps.watch()
    cancel = clock.schedule(TICK_MS, tick, { isUpkeep: true })
  }

  function lookAfter(member: Member, nowMs: number): void {
    const { connection, state } = member
    if (state.name !== 'idle') return
    const mayShrink = members.count('idle') > options.minIdle
    if (mayShrink && nowMs - connection.lastUsedAtMs >= options.idleTimeoutMs) deps.evict(member, 'idleTimeout')
    else if (nowMs - connection.lastAliveAtMs >= keepaliveIntervalMs(connection.session.waitTimeoutMs)) {
      deps.validate(member)
    }
  }

  /** Well below the time after which the server would close the session. */
  function keepaliveIntervalMs(waitTimeoutMs: number): number {
    return Math.min(options.keepaliveMs, waitTimeoutMs / 3)
  }

  return () => cancel()
}
