import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** How a server process ended. */
export interface ServerExit {
  /** Null when a signal ended it. */
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ServerProcess {
  readonly pid: number
  /** Settles when the process is gone; never rejects. Does not keep this process alive. */
  readonly exited: Promise<ServerExit>
  /** Sends a signal; of no effect once it is gone. */
  readonly send: (signal: NodeJS.Signals) => void
  /** SIGTERM, and SIGKILL if it still runs after `graceMs`. */
  readonly stop: (graceMs: number) => Promise<void>
}

/**
 * Starts a server whose output goes to `logFile` (emptied first). It gets a session of its own, so that Ctrl-C reaches only
 * the service, which can finish what it has begun before it stops its database.
 * @throws the error of `spawn` when the program cannot be started
 */
export async function spawnServer(command: readonly string[], logFile: string): Promise<ServerProcess> {
  const [program = '', ...programArguments] = command
  const log = await open(logFile, 'w', 0o600)
  try {
    const child = spawn(program, programArguments, { detached: true, stdio: ['ignore', log.fd, log.fd] })
    const { promise: exited, resolve } = Promise.withResolvers<ServerExit>()
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }))
    await once(child, 'spawn')
    child.unref()
    // `spawn` was emitted, so there is a pid.
    return createServerProcess(child, child.pid as number, exited)
  } finally {
    await log.close()
  }
}

function createServerProcess(child: ChildProcess, pid: number, exited: Promise<ServerExit>): ServerProcess {
  const send = (signal: NodeJS.Signals) => {
    child.kill(signal)
  }
  return {
    pid,
    exited,
    send,
    stop: async (graceMs) => {
      child.ref()
      send('SIGTERM')
      const timer = new AbortController()
      const tooSlow = sleep(graceMs, undefined, { signal: timer.signal }).then(
        () => send('SIGKILL'),
        // Aborted: it was fast enough.
        () => {},
      )
      await exited
      timer.abort()
      await tooSlow
    },
  }
}
