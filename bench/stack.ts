import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { findFreePort } from '../db/local/free-port.ts'
import type { WorkloadName } from './workloads.ts'

/** Of every stack, unless a run is about it. */
export const POOL_SIZE = 16
const START_LIMIT_MS = 10_000
const STOP_LIMIT_MS = 8_000

/** A program that answers the routes of the workloads: what is measured. */
export interface Stack {
  /** For `--modes` and the results. */
  readonly name: string
  /** For tables and the chart. */
  readonly title: string
  readonly command: readonly [program: string, ...args: string[]]
  /** Beside DATABASE_URL, POOL_SIZE and PORT. */
  readonly environment: Readonly<Record<string, string>>
  readonly workloads: readonly WorkloadName[]
}

export interface RunningStack {
  readonly stack: Stack
  readonly url: string
  readonly pid: number
  /** @throws Error with what it wrote last, when it has ended */
  readonly assertAlive: () => void
  /** SIGTERM, and SIGKILL after 8 s. */
  readonly stop: () => Promise<void>
}

export interface StackSettings {
  readonly databaseUrl: string
  readonly poolSize: number
}

/** Starts it as a process of its own and waits until it answers. @throws Error with what it wrote last */
export async function startStack(stack: Stack, { databaseUrl, poolSize }: StackSettings): Promise<RunningStack> {
  const port = await findFreePort()
  const [program, ...args] = stack.command
  const { PATH = '', HOME = '' } = process.env
  const child = spawn(program, args, {
    // Nothing else of ours: a setting in somebody's shell must not change what is measured.
    env: {
      PATH,
      HOME,
      TZ: 'UTC',
      NODE_ENV: 'production',
      ...stack.environment,
      DATABASE_URL: databaseUrl,
      POOL_SIZE: String(poolSize),
      HOST: '127.0.0.1',
      PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error(`${stack.name} has no process`)
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => void (lines.push(line) > 15 && lines.shift()))
  }
  const exited = once(child, 'exit')
  // Also when the benchmark itself fails.
  const killAtExit = () => void child.kill('SIGKILL')
  process.once('exit', killAtExit)
  void exited.then(() => process.off('exit', killAtExit))
  const assertAlive = () => {
    if (child.exitCode === null && child.signalCode === null) return
    throw new Error(`${stack.name} ended (${child.exitCode ?? child.signalCode}):\n${lines.join('\n')}`)
  }
  const stop = async () => {
    child.kill('SIGTERM')
    const timer = setTimeout(killAtExit, STOP_LIMIT_MS)
    await exited
    clearTimeout(timer)
  }
  const url = `http://127.0.0.1:${port}`
  await untilAnswers(url, assertAlive).catch(async (error: unknown) => {
    await stop()
    throw new Error(`${stack.name} does not answer: ${error}\n${lines.join('\n')}`, { cause: error })
  })
  return { stack, url, pid, assertAlive, stop }
}

async function untilAnswers(url: string, assertAlive: () => void): Promise<void> {
  const giveUpAtMs = performance.now() + START_LIMIT_MS
  for (;;) {
    assertAlive()
    const response = await fetch(`${url}/?city=London`).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    if (performance.now() >= giveUpAtMs) throw new Error(`${response?.status ?? 'nothing'} after ${START_LIMIT_MS} ms`)
    await sleep(20)
  }
}
