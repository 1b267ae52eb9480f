import { type Clock, type EvictReason, nameConnectError, type PoolEvent } from '../db/index.ts'
import type { Log } from './log.ts'

/** What comes in bursts is gathered for so long before its first line, in ms. */
const GATHER_MS = 1000
/** Between two lines about the same, in ms, however long it lasts. */
const QUIET_MS = 10_000
/** An outage soon after another has its line only when it has lasted this long, in ms. */
const LONG_OUTAGE_MS = 1000

/** Connections that go for these reasons are no news. */
const routine: ReadonlySet<EvictReason> = new Set(['idleTimeout', 'maxLifetime', 'surplus', 'closed'])

/**
 * What an operator acts on. An outage has one line at its start and one at its end; what comes with it by the hundred is
 * counted, and told once after a second, then every ten. The rest is for metrics.
 */
export function logPoolEvents({
  log,
  clock,
}: {
  readonly log: Log
  readonly clock: Clock
}): (event: PoolEvent) => void {
  const burst = createBurstLog(log, clock)
  const outages = createOutageLog(log, clock)
  let failoverToldAtMs = Number.NEGATIVE_INFINITY

  return (event) => {
    switch (event.name) {
      case 'outageStarted':
        if (!outages.started(event.cause)) burst.count('outages')
        return
      case 'connectFailed':
        outages.failed(event.cause)
        return
      case 'outageEnded':
        outages.ended(event)
        return
      case 'tlsTextsUnusable':
        log.warn(
          { err: event.cause, reason: wordsOf(event.cause) },
          'the TLS files cannot be used: the last good ones are',
        )
        return
      case 'failover':
        if (clock.now() - failoverToldAtMs < QUIET_MS) return burst.count('failovers')
        failoverToldAtMs = clock.now()
        log.warn({}, 'the server takes no writes: moving to where new connections lead')
        return
      case 'evicted':
        if (!routine.has(event.reason)) burst.count(event.reason)
        return
      case 'refused':
      case 'acquireTimeout':
      case 'unknownOutcome':
        burst.count(event.name)
    }
  }
}

/**
 * One line when no connection can be opened any more, one when another reason comes up meanwhile, and one when they can; a
 * server that comes and goes has fewer.
 */
function createOutageLog(log: Log, clock: Clock) {
  const told = new Set<string>()
  let toldAtMs = Number.NEGATIVE_INFINITY
  let latest: unknown
  let cancel = () => {}

  function tell(): void {
    told.add(nameConnectError(latest))
    toldAtMs = clock.now()
    log.warn({ err: latest, reason: wordsOf(latest) }, 'no new connection to the database')
  }

  return {
    /** Whether it was told at once. */
    started(cause: unknown): boolean {
      latest = cause
      const isNews = clock.now() - toldAtMs >= QUIET_MS
      if (isNews) tell()
      else cancel = clock.schedule(LONG_OUTAGE_MS, tell, { isUpkeep: true })
      return isNews
    },
    failed(cause: unknown): void {
      latest = cause
      if (told.size > 0 && !told.has(nameConnectError(cause))) tell()
    },
    ended({ durationMs, attempts }: { readonly durationMs: number; readonly attempts: number }): void {
      cancel()
      if (told.size > 0) log.info({ ms: Math.round(durationMs), attempts }, 'connected to the database again')
      told.clear()
    },
  }
}

/** What server, system or driver say of a failed login: no statement of a caller is part of it. */
function wordsOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return cause.cause === undefined ? cause.message : `${cause.message}: ${wordsOf(cause.cause)}`
}

function createBurstLog(log: Log, clock: Clock) {
  let counts: Record<string, number> = {}
  let toldAtMs = Number.NEGATIVE_INFINITY
  let isScheduled = false

  function tell(): void {
    isScheduled = false
    toldAtMs = clock.now()
    log.warn({ counts }, 'the pool lost connections or turned callers away')
    counts = {}
  }

  return {
    count(what: string): void {
      counts[what] = (counts[what] ?? 0) + 1
      if (isScheduled) return
      isScheduled = true
      clock.schedule(Math.max(GATHER_MS, toldAtMs + QUIET_MS - clock.now()), tell, { isUpkeep: true })
    },
  }
}
