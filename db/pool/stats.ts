/** What the pool holds now. */
export interface PoolStats {
  /** Open connections: idle, acquired, being validated, reset or stopped. */
  readonly total: number
  readonly idle: number
  readonly acquired: number
  /** Callers in the queue. */
  readonly waiting: number
  /** Attempts to connect that are under way; not those that the server leaves without a word, and others start beside. */
  readonly connecting: number
}

/** Why a connection was closed. */
export const evictReasons = [
  'lost',
  'validationFailed',
  'forgotten',
  'stopped',
  'notStopped',
  'transactionOpen',
  'resetFailed',
  'idleTimeout',
  'maxLifetime',
  'wrongServer',
  'surplus',
  'closed',
] as const
export type EvictReason = (typeof evictReasons)[number]

/** What happened, for logs and metrics. None comes with every statement. */
export type PoolEvent =
  | { readonly name: 'opened'; readonly durationMs: number }
  | { readonly name: 'connectFailed'; readonly cause: unknown }
  | { readonly name: 'pinged'; readonly durationMs: number; readonly isAlive: boolean }
  | { readonly name: 'evicted'; readonly reason: EvictReason; readonly idleMs: number }
  | { readonly name: 'outageStarted'; readonly cause: unknown }
  | { readonly name: 'outageEnded'; readonly durationMs: number; readonly attempts: number }
  /** The TLS texts cannot be read or used; the last good ones are used on. Once until they can. */
  | { readonly name: 'tlsTextsUnusable'; readonly cause: unknown }
  | { readonly name: 'failover' }
  | { readonly name: 'refused' }
  | { readonly name: 'acquireTimeout' }
  | { readonly name: 'retried'; readonly outcome: string }
  /** A statement or COMMIT was sent and not answered. */
  | { readonly name: 'unknownOutcome' }

/** What has happened since the start. */
export interface PoolCounters {
  readonly opened: number
  readonly connectFailures: number
  readonly evicted: Readonly<Partial<Record<EvictReason, number>>>
  readonly failovers: number
  /** Statements run again. */
  readonly retried: number
  /** Callers refused on arrival. */
  readonly refused: number
  readonly acquireTimeouts: number
  readonly unknownOutcomes: number
}

export const noEvents: PoolCounters = {
  opened: 0,
  connectFailures: 0,
  evicted: {},
  failovers: 0,
  retried: 0,
  refused: 0,
  acquireTimeouts: 0,
  unknownOutcomes: 0,
}

/** The counters after one more event. Pure. */
export function countEvent(counters: PoolCounters, event: PoolEvent): PoolCounters {
  switch (event.name) {
    case 'opened':
      return { ...counters, opened: counters.opened + 1 }
    case 'connectFailed':
      return { ...counters, connectFailures: counters.connectFailures + 1 }
    case 'evicted': {
      const { evicted } = counters
      return { ...counters, evicted: { ...evicted, [event.reason]: (evicted[event.reason] ?? 0) + 1 } }
    }
    case 'failover':
      return { ...counters, failovers: counters.failovers + 1 }
    case 'retried':
      return { ...counters, retried: counters.retried + 1 }
    case 'refused':
      return { ...counters, refused: counters.refused + 1 }
    case 'acquireTimeout':
      return { ...counters, acquireTimeouts: counters.acquireTimeouts + 1 }
    case 'unknownOutcome':
      return { ...counters, unknownOutcomes: counters.unknownOutcomes + 1 }
    case 'pinged':
    case 'outageStarted':
    case 'outageEnded':
    case 'tlsTextsUnusable':
      return counters
  }
}
