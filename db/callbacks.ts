import type { Random } from './pool/backoff.ts'
import type { UseObserver } from './pool/use-observer.ts'

/**
 * What callers pass in may throw or reject: that is told once a function, as a process warning of the type
 * `CallbackWarning`, and goes no further.
 */
function guard<Argument>(name: string, callback: (argument: Argument) => unknown): (argument: Argument) => void {
  const tell = createTeller(name)
  return (argument) => {
    try {
      const result = callback(argument)
      if (result instanceof Promise) result.catch(tell)
    } catch (error) {
      tell(error)
    }
  }
}

/** `onEvent`, called when the work that the event belongs to is done: in the middle of it the pool is in no state to be used. */
export function guardEvents<Event>(onEvent: (event: Event) => unknown): (event: Event) => void {
  const guarded = guard('onEvent', onEvent)
  return (event) => queueMicrotask(() => guarded(event))
}

export function guardObserver(observer: UseObserver): UseObserver {
  return {
    waited: guard('observer.waited', (ms: number) => observer.waited(ms)),
    held: guard('observer.held', (ms: number) => observer.held(ms)),
    ran: guard('observer.ran', (use: Parameters<UseObserver['ran']>[0]) => observer.ran(use)),
  }
}

/** `random`, and the process's own where that gives no number from 0 to below 1: a pause must have an end. */
export function guardRandom(random: Random): Random {
  const tell = createTeller('random')
  return () => {
    try {
      const value = random()
      if (value >= 0 && value < 1) return value
      tell(new RangeError(`expected a number from 0 to below 1, got ${value}`))
    } catch (error) {
      tell(error)
    }
    return Math.random()
  }
}

function createTeller(name: string): (error: unknown) => void {
  let isTold = false
  return (error) => {
    if (isTold) return
    isTold = true
    const detail = error instanceof Error ? error.stack : String(error)
    process.emitWarning(`${name}, which was passed to the pool, failed; it is told once`, {
      type: 'CallbackWarning',
      ...(detail !== undefined && { detail }),
    })
  }
}
