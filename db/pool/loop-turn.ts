import { performance } from 'node:perf_hooks'

/**
 * Turns of the event loop. After two `setImmediate` turns the loop has polled once in full, so what the kernel holds for
 * our sockets (a FIN, an RST, a last error packet) has been delivered: a liveness check without a round trip. One turn
 * is not enough: from an I/O callback the first immediate runs before the next poll.
 */
export class LoopTurn {
  #joinable: Promise<void> | undefined

  /** The number of this turn. libuv counts them; a counter kept up by immediates would add turns of its own. */
  get current(): number {
    return performance.nodeTiming.uvMetricsInfo.loopCount
  }

  /** Resolves after one full poll. Callers of one turn share the wait. */
  pollOnce(): Promise<void> {
    this.#joinable ??= new Promise((resolve) => {
      setImmediate(() => {
        // From here on a caller could miss the poll that this wait is about.
        this.#joinable = undefined
        setImmediate(resolve)
      })
    })
    return this.#joinable
  }
}
