import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loginOptions, readAccounts } from './accounts.ts'
import { DatabaseStartError } from './errors.ts'
import { findFreePort, isPortFree } from './free-port.ts'
import { diesWithParent, type Guard, holdsLock, lockedExitCode } from './guard.ts'
import { lastLines } from './run-command.ts'
import { serveCommand } from './server-arguments.ts'
import type { ServerBinary } from './server-binary.ts'
import { type ServerExit, type ServerProcess, spawnServer } from './server-process.ts'
import { describeVersion } from './server-version.ts'
import { waitUntilReady } from './wait-until-ready.ts'

/** A cold start with recovery takes about a second; a machine that needs a minute is stuck. */
const startLimitMs = 60_000

export interface LocalServerOptions {
  readonly binary: ServerBinary
  /** Complete, as `initialise` leaves it. */
  readonly folder: string
  readonly guard: Guard
  readonly extraArguments: readonly string[]
  readonly signal?: AbortSignal
}

/** What an attempt to start came to. */
export type StartOutcome =
  | { readonly name: 'ready'; readonly process: ServerProcess }
  | { readonly name: 'locked' }
  | { readonly name: 'portTaken' }
  /** The program started another process as the server, which would not end with this one. It was killed. */
  | { readonly name: 'escaped' }

/**
 * Starts a server on a free port, and on another one when somebody took that port meanwhile.
 * @throws DatabaseStartError with the end of the server's log
 */
export async function startOnFreePort(options: LocalServerOptions): Promise<{ port: number; outcome: StartOutcome }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await findFreePort()
    const outcome = await startOnPort(options, port)
    if (outcome.name !== 'portTaken' || attempt === 5) return { port, outcome }
  }
}

/** @throws DatabaseStartError with the end of the server's log */
export async function startOnPort(options: LocalServerOptions, port: number): Promise<StartOutcome> {
  const { binary, folder, guard, extraArguments, signal } = options
  const accounts = await readAccounts(folder)
  const serve = holdsLock(guard, join(folder, 'lock'), serveCommand(binary, { folder, port, extraArguments }))
  signal?.throwIfAborted()
  const server = await spawnServer(diesWithParent(guard, process.pid, serve), join(folder, 'server.log'))
  const failure = await readyOrFailure(
    server,
    (stop) => waitUntilReady(loginOptions('admin', accounts, port), stop),
    signal,
  )
  if (failure === undefined) return await judgeReady(server, folder)
  await server.stop(0)
  signal?.throwIfAborted()
  if (failure.exit?.exitCode === lockedExitCode) return { name: 'locked' }
  if (failure.exit !== undefined && !(await isPortFree(port))) return { name: 'portTaken' }
  const log = await readFile(join(folder, 'server.log'), 'utf8')
  const what = `${describeVersion(binary.version)} (${binary.origin}, data in ${folder}) ${describeFailure(failure)}`
  throw new DatabaseStartError(what, lastLines(log), { cause: failure.error })
}

/** The server writes its own pid; it is not ours when `mysqld` is a wrapper script that does not `exec` the real one. */
async function judgeReady(server: ServerProcess, folder: string): Promise<StartOutcome> {
  const pid = Number(await readFile(join(folder, 'data/server.pid'), 'utf8'))
  if (pid === server.pid) return { name: 'ready', process: server }
  await server.stop(0)
  process.kill(pid, 'SIGKILL')
  return { name: 'escaped' }
}

interface StartFailure {
  /** Set when the process ended by itself. */
  readonly exit?: ServerExit
  readonly error?: unknown
}

/** Waits for the first of: ready, the process ended, the time is over, the caller gave up. */
async function readyOrFailure(
  server: ServerProcess,
  ready: (stop: AbortSignal) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<StartFailure | undefined> {
  const ended = new AbortController()
  const limits = [ended.signal, AbortSignal.timeout(startLimitMs), ...(signal ? [signal] : [])]
  const isReady = ready(AbortSignal.any(limits)).then(
    () => undefined,
    (error: unknown): StartFailure => ({ error }),
  )
  const hasEnded = server.exited.then((exit): StartFailure => ({ exit }))
  const first = await Promise.race([isReady, hasEnded])
  ended.abort()
  await isReady
  return first
}

function describeFailure({ exit, error }: StartFailure): string {
  if (exit === undefined) return `did not become ready within ${startLimitMs / 1_000} s (${String(error)})`
  return exit.exitCode === null
    ? `was ended by ${exit.signal}`
    : `ended with exit code ${exit.exitCode} instead of serving`
}
