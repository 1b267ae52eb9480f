import { Worker } from 'node:worker_threads'

export interface WatchdogOptions {
  /** The main thread's stack is logged when it was stuck for so long, in ms; 0: never. */
  readonly logAfterMs: number
  /** The process is ended (SIGABRT) when its main thread was stuck for so long, in ms; 0: never. */
  readonly exitAfterMs: number
  readonly logLevel: string
}

/**
 * Watches the event loop from a thread of its own: a loop that never yields answers no probe, and cannot even say why.
 * What counts is the watcher's own turns in which the main thread gave no sign of life, not the clock's time, so that a
 * process that was suspended as a whole is not taken for a stuck one.
 */
export function startWatchdog({ logAfterMs, exitAfterMs, logLevel }: WatchdogOptions): void {
  const limits = [logAfterMs, exitAfterMs].filter((ms) => ms > 0)
  if (limits.length === 0) return
  const turnMs = Math.min(500, Math.min(...limits) / 5)
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const workerData = { beats, turnMs, logAfterMs, exitAfterMs, logLevel }
  // Plain JavaScript: stripping types would cost the thread 18 MB. No execArgv: --import is for the main thread.
  new Worker(new URL('./watchdog-worker.js', import.meta.url), { workerData, execArgv: [], name: 'watchdog' }).unref()
  setInterval(() => Atomics.add(beats, 0, 1), turnMs / 2).unref()
}
