import { DatabaseStartError } from './errors.ts'
import { type LocalServerOptions, startOnPort } from './local-server.ts'
import type { ServerProcess } from './server-process.ts'

/** A clean stop takes MariaDB 0.05 s and MySQL about 1.1 s; killed in the middle of it, both recover at the next start. */
const stopGraceMs = 1_300

/** One server whose process comes and goes; port and data stay. */
export interface RestartableServer {
  /** Of the running process; undefined while stopped. */
  readonly pid: () => number | undefined
  /** Starts it again and waits until it is ready. @throws DatabaseStartError also when it runs already */
  readonly start: () => Promise<void>
  /** A clean stop of at most 1.3 s, then SIGKILL. Does nothing when it is stopped. */
  readonly stop: () => Promise<void>
  /** SIGKILL: clients see their connections reset. Does nothing when it is stopped. */
  readonly kill: () => Promise<void>
  /** SIGSTOP: connections stay open and are not answered; the kernel still accepts new ones. */
  readonly freeze: () => void
  /** SIGCONT. */
  readonly thaw: () => void
}

type State = { readonly name: 'stopped' } | { readonly name: 'running'; readonly process: ServerProcess }

export function createRestartableServer(
  options: LocalServerOptions,
  port: number,
  firstProcess: ServerProcess,
): RestartableServer {
  let state: State = { name: 'running', process: firstProcess }
  const end = async (graceMs: number) => {
    if (state.name === 'stopped') return
    // A frozen process would only notice SIGTERM once it is thawed.
    state.process.send('SIGCONT')
    await state.process.stop(graceMs)
    state = { name: 'stopped' }
  }
  const send = (signal: NodeJS.Signals) => {
    if (state.name === 'running') state.process.send(signal)
  }
  return {
    pid: () => (state.name === 'running' ? state.process.pid : undefined),
    start: async () => {
      const outcome = await startOnPort(options, port)
      if (outcome.name !== 'ready') throw new DatabaseStartError(`${options.folder} or port ${port} is in use`, '')
      state = { name: 'running', process: outcome.process }
    },
    stop: () => end(stopGraceMs),
    kill: async () => {
      if (state.name === 'running') state.process.send('SIGKILL')
      await end(0)
    },
    freeze: () => send('SIGSTOP'),
    thaw: () => send('SIGCONT'),
  }
}
