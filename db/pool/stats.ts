/** What the pool holds now. */
export interface PoolStats {
  /** Open connections: idle, acquired, being validated, reset or stopped. */
  readonly total: number
  readonly idle: number
  readonly acquired: number
  /** Callers in the queue. */
  readonly waiting: number
  /** Attempts to connect that are under way. */
  readonly connecting: number
}

/** Why a connection was closed. */
export type EvictReason =
  | 'lost'
  | 'validationFailed'
  | 'forgotten'
  | 'stopped'
  | 'transactionOpen'
  | 'resetFailed'
  | 'idleTimeout'
  | 'maxLifetime'
  | 'wrongServer'
  | 'closed'

/** What happened, for logs and metrics. Every event carries the pool's gauges at that moment. */
export type PoolEvent =
  | { readonly name: 'opened'; readonly durationMs: number }
  | { readonly name: 'evicted'; readonly reason: EvictReason; readonly idleMs: number }
  | { readonly name: 'outageStarted'; readonly cause: unknown }
  | { readonly name: 'outageEnded'; readonly durationMs: number; readonly attempts: number }
  | { readonly name: 'failover' }
  | { readonly name: 'refused' }
  | { readonly name: 'acquireTimeout' }
  | { readonly name: 'retried'; readonly outcome: string }
  | { readonly name: 'unknownOutcome' }

/** What has happened since the start. */
export interface PoolCounters {
  readonly opened: number
  readonly connectFailures: number
  readonly evicted: Readonly<Partial<Record<EvictReason, number>>>
  readonly retried: number
  readonly refused: number
  readonly unknownOutcomes: number
  readonly acquireTimeouts: number
}
