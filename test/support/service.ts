import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { findFreePort } from '../../db/local/free-port.ts'
import type { ProxyTarget } from './fault-proxy-flow.ts'

export interface ServiceOptions {
  /** Where the service finds its database: usually the address of a fault proxy. */
  readonly database: ProxyTarget
  /** The account and schema; its host and port are not used. */
  readonly account: ConnectionOptions
  /** Where the account's password is kept, instead of in the settings: `DB_PASSWORD_FILE`. */
  readonly passwordFile?: string
  /** Further settings. Default: none. */
  readonly environment?: Readonly<Record<string, string>>
  /** What is started. Default: the real service. */
  readonly program?: Program
  /** How it breaks on SIGUSR2. Default: it does not. */
  readonly breakage?: 'leak' | 'loop' | 'throw'
}

/** The service as a process of its own. */
export interface Service {
  readonly url: string
  readonly port: number
  /** What it has written so far, a line each: JSON where it comes from its logger. */
  readonly lines: readonly string[]
  /** From its start until it answered HTTP, in ms. */
  readonly startedInMs: number
  /** CPU time since its start, user and system, all threads, in s. */
  readonly cpuSeconds: () => Promise<number>
  readonly memoryMegabytes: () => Promise<number>
  readonly signal: (name: NodeJS.Signals) => void
  /** Resolves when it has ended. */
  readonly ended: Promise<ServiceEnd>
  /** SIGTERM, and SIGKILL after 8 s; resolves with the exit code, null after SIGKILL. Safe to call twice. */
  readonly stop: () => Promise<number | null>
}

/** How a service ended, and when, by `performance.now()`. */
interface ServiceEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly atMs: number
}

type Program = keyof typeof programs

const programs = {
  service: join(import.meta.dirname, '../../src/server.ts'),
  plain: join(import.meta.dirname, 'plain-service.ts'),
  statements: join(import.meta.dirname, 'statement-service.ts'),
}
const breaker = join(import.meta.dirname, 'break-service.ts')
const START_LIMIT_MS = 10_000
const STOP_LIMIT_MS = 8_000

/** Starts a service and waits until it answers HTTP; its database need not be there. @throws Error with what it wrote */
export async function startService(options: ServiceOptions): Promise<Service> {
  const port = await findFreePort()
  const startedAtMs = performance.now()
  const { program = 'service', breakage } = options
  const child = spawn(process.execPath, [...(breakage ? ['--import', breaker] : []), programs[program]], {
    env: {
      ...withoutOurSettings(process.env),
      LOG_LEVEL: 'warn',
      ...(breakage && { BREAK: breakage }),
      ...options.environment,
      ...(await databaseSettings(options)),
      HOST: '127.0.0.1',
      PORT: String(port),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lines: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => lines.push(line))
  }
  const url = `http://127.0.0.1:${port}`
  const exited = exitOf(child)
  // Also when a test run ends in the middle of a test.
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  void exited.then(() => process.off('exit', killAtExit))
  if (!(await answers(`${url}/version`, child))) {
    child.kill('SIGKILL')
    await exited
    throw new Error(`the service did not start:\n${lines.slice(-15).join('\n')}`)
  }
  const { pid } = child
  return {
    url,
    port,
    lines,
    startedInMs: performance.now() - startedAtMs,
    cpuSeconds: () => readCpuSeconds(pid),
    signal: (name) => void child.kill(name),
    ended: exited,
    memoryMegabytes: () => readMemoryMegabytes(pid),
    stop: async () => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS)
      const { code } = await exited
      clearTimeout(timer)
      return code
    },
  }
}

async function databaseSettings({ database, account, passwordFile }: ServiceOptions): Promise<Record<string, string>> {
  if (passwordFile !== undefined) {
    const { host, port } = database
    const { user, database: name } = account
    return { DB_HOST: host, DB_PORT: String(port), DB_USER: user, DB_NAME: name, DB_PASSWORD_FILE: passwordFile }
  }
  const url = new URL(`mysql://${database.host}:${database.port}/${account.database}`)
  url.username = account.user
  url.password = encodeURIComponent(await account.password())
  return { DATABASE_URL: url.href }
}

/** Without the settings of whoever runs the tests. */
function withoutOurSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const isOurs = (name: string) => /^(DB_|DATABASE_URL|NODE_ENV|NODE_OPTIONS|VITEST|POOL_SIZE|REQUEST_)/.test(name)
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isOurs(name)))
}

function exitOf(child: ChildProcess): Promise<ServiceEnd> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, atMs: performance.now() }))
  })
}

async function answers(url: string, child: ChildProcess): Promise<boolean> {
  const giveUpAtMs = performance.now() + START_LIMIT_MS
  while (performance.now() < giveUpAtMs && child.exitCode === null) {
    // Cheaper than a request: it must not take the CPU from what it waits for.
    if (await isListening(Number(new URL(url).port))) {
      const response = await fetch(url)
      await response.body?.cancel()
      // 503 is the port's answer while the service behind it is put together.
      if (response.status !== 503) return true
    }
    await sleep(5)
  }
  return false
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}

/** Fields 14 and 15 of proc(5)'s stat: ticks of 10 ms in user and in system mode. */
async function readCpuSeconds(pid: number | undefined): Promise<number> {
  const stat = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ')
  return (Number(stat[11]) + Number(stat[12])) / 100
}

async function readMemoryMegabytes(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}
