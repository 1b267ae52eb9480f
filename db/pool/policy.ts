import type { Urgency } from './connect-gate.ts'
import type { EvictReason } from './stats.ts'

/** What the policy knows of an idle connection. */
export interface IdleConnection {
  readonly sinceAliveMs: number
  /** A connection of its generation was lost, and it has not been asked since. */
  readonly isSuspicious: boolean
  /** Whether the server can be asked about its session: what is slow is told from what is lost by that alone. */
  readonly canBeAskedAbout: boolean
}

/**
 * Whether an idle connection can be used as it is, used for a read that is watched (its first statement decides), or must
 * be pinged first, whatever comes. Pure.
 */
export function judgeIdle(connection: IdleConnection, validateAfterIdleMs: number): 'use' | 'watch' | 'validate' {
  const { sinceAliveMs, isSuspicious, canBeAskedAbout } = connection
  if (isSuspicious) return 'validate'
  if (sinceAliveMs < validateAfterIdleMs) return 'use'
  return canBeAskedAbout ? 'watch' : 'validate'
}

/** What the policy knows of a connection that a caller gives back. */
export interface ReleasedConnection {
  readonly isDead: boolean
  /** A statement is still running: its caller has left. */
  readonly isBusy: boolean
  readonly isTransactionOpen: boolean
  /** Statements ran that may have changed the session in ways the server does not tell. */
  readonly isDirty: boolean
  /** Why it shall go as soon as nobody uses it. */
  readonly retiredFor: EvictReason | undefined
}

export type ReleaseVerdict =
  | { readonly action: 'keep' }
  | { readonly action: 'reset' }
  /** Let the statement end or stop it, then decide again. */
  | { readonly action: 'stop' }
  | { readonly action: 'evict'; readonly reason: EvictReason }

/** What becomes of a connection that a caller gives back. Pure. */
export function judgeRelease(connection: ReleasedConnection): ReleaseVerdict {
  if (connection.isDead) return { action: 'evict', reason: connection.retiredFor ?? 'lost' }
  if (connection.isBusy) return { action: 'stop' }
  if (connection.isTransactionOpen) return { action: 'evict', reason: 'transactionOpen' }
  if (connection.retiredFor) return { action: 'evict', reason: connection.retiredFor }
  return { action: connection.isDirty ? 'reset' : 'keep' }
}

/** A margin for what the median does not show, so that an admitted caller is seldom cut off at its deadline. */
const ADMISSION_MARGIN = 1.15

/** Whether a caller who comes now would still get its connection, and its own work done, in its time. Pure. */
export function canBeServed(
  queue: { readonly waiting: number; readonly size: number; readonly medianHoldMs: number },
  remainingMs: number,
): boolean {
  const waitMs = (queue.waiting / queue.size) * queue.medianHoldMs
  return (waitMs + queue.medianHoldMs) * ADMISSION_MARGIN <= remainingMs || queue.waiting < queue.size
}

/** Who has waited for longer, in ms, is not served soon by the connections there are. */
const LONG_WAIT_MS = 100

/** How much depends on another connection. Pure. */
export function judgeUrgency(queue: {
  readonly isWanted: boolean
  /** Connections that are at work and come back to the queue. */
  readonly serving: number
  /** How long the first of the queue has waited. */
  readonly waitedMs: number
}): Urgency {
  if (!queue.isWanted) return 'low'
  return queue.serving === 0 || queue.waitedMs >= LONG_WAIT_MS ? 'high' : 'normal'
}
