import type { PoolEvent } from '../db/index.ts'
import type { Log } from './log.ts'

/** What an operator acts on, one line each; the rest is for counters. An outage has one line at its start and its end. */
export function logPoolEvents(log: Log): (event: PoolEvent) => void {
  return (event) => {
    switch (event.name) {
      case 'outageStarted':
        log.warn({ err: event.cause }, 'no new connection to the database')
        break
      case 'outageEnded':
        log.info({ ms: Math.round(event.durationMs), attempts: event.attempts }, 'connected to the database again')
        break
      case 'failover':
        log.warn({}, 'the server takes no writes: moving to where new connections lead')
        break
      case 'unknownOutcome':
        log.warn({}, 'a statement was not answered; whether it took effect is unknown')
        break
      default:
        break
    }
  }
}
