import { performance } from 'node:perf_hooks'

/**
 * Turns of the event loop. When the loop has polled once in full, what the kernel holds for our sockets (a FIN, an RST, a
 * last error packet) has been delivered: a liveness check without a round trip. That is two `setImmediate` turns from an
 * I/O callback, since the first runs before the next poll, and one from where this turn's poll is known to be over.
 */
export class LoopTurn {
  #poll: { readonly turn: number; readonly over: Promise<void> } | undefined
  #polledTurn = -1

  /** The number of this turn, which changes just before it polls. libuv counts them; immediates of ours would add some. */
  get current(): number {
    return performance.nodeTiming.uvMetricsInfo.loopCount
  }

  /** Runs `task` when everything that this turn's poll has found was handled. */
  afterPoll(task: () => void): void {
    setImmediate(() => {
      this.#polledTurn = this.current
      task()
    })
  }

  /** Resolves after one full poll. Callers of one turn share the wait: its own poll is what they are all past, or in. */
  pollOnce(): Promise<void> {
    const turn = this.current
    if (this.#poll?.turn === turn) return this.#poll.over
    const over = new Promise<void>((resolve) => {
      if (this.#polledTurn === turn) this.afterPoll(resolve)
      else setImmediate(() => this.afterPoll(resolve))
    })
    this.#poll = { turn, over }
    return over
  }
}
