import type { Clock } from '../db/index.ts'
import type { Log } from './log.ts'

/** starting -> ready -> draining -> stopped; a service may be stopped in any state. */
export type LifecycleState =
  | { readonly name: 'starting' }
  | { readonly name: 'ready' }
  | { readonly name: 'draining' }
  | { readonly name: 'stopped' }

/** What is closed, in this order: a request needs the connections, and they need the database. */
const STAGES = ['requests', 'connections', 'database'] as const
type Stage = (typeof STAGES)[number]

/** A signal that comes sooner after the first is the same one: a terminal's Ctrl-C reaches npm's child twice. */
const SECOND_SIGNAL_AFTER_MS = 500

export interface Lifecycle {
  state(): LifecycleState
  /** Aborted when the stop begins. */
  readonly stopping: AbortSignal
  /** The service answers now; ignored when it is being stopped already. */
  ready(): void
  /** How a stage is closed; at most one a stage. */
  onStop(stage: Stage, close: () => Promise<void>): void
  /** Drains and exits. Once: later calls get the same promise. */
  stop(why: string, exitCode: number): Promise<void>
  /** SIGTERM or SIGINT: the first stops, one at least `SECOND_SIGNAL_AFTER_MS` later exits 1 at once. */
  signal(name: string): void
}

export interface LifecycleDeps {
  readonly clock: Clock
  readonly log: Log
  /** Ends the process. */
  readonly exit: (code: number) => void
}

export function createLifecycle({ clock, log, exit }: LifecycleDeps): Lifecycle {
  let state: LifecycleState = { name: 'starting' }
  let stopped: Promise<void> | undefined
  let firstSignalAtMs: number | undefined
  const closers = new Map<Stage, () => Promise<void>>()
  const stopping = new AbortController()

  async function drain(exitCode: number, level: 'info' | 'debug'): Promise<void> {
    for (const stage of STAGES) {
      // A stage that cannot be closed must not keep the later ones open.
      await closers
        .get(stage)?.()
        .catch((error: unknown) => log.error({ err: error, stage }, 'could not be closed'))
    }
    state = { name: 'stopped' }
    log[level]({ exitCode }, 'stopped')
    exit(exitCode)
  }

  function stop(why: string, exitCode: number): Promise<void> {
    if (stopped) return stopped
    // A start that failed has said why already.
    const level = state.name === 'ready' ? 'info' : 'debug'
    state = { name: 'draining' }
    log[level]({ why }, 'stopping')
    stopping.abort()
    stopped = drain(exitCode, level)
    return stopped
  }

  return {
    state: () => state,
    stopping: stopping.signal,
    ready() {
      if (state.name === 'starting') state = { name: 'ready' }
    },
    onStop(stage, close) {
      closers.set(stage, close)
    },
    stop,
    signal(name) {
      firstSignalAtMs ??= clock.now()
      if (clock.now() - firstSignalAtMs >= SECOND_SIGNAL_AFTER_MS) exit(1)
      else void stop(name, 0)
    },
  }
}
