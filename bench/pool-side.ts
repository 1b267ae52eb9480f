import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { readIoCalls } from './process-figures.ts'

export const CLIENTS = 16
const REQUEST = 'GET /?city=London HTTP/1.1\r\nHost: bench\r\n\r\n'
const ANSWER = 'City "London" is #312'

/** What is measured: a pool server of one checkout, over one of its dialects. */
export interface SidePlan {
  /** For tables. */
  readonly title: string
  /** The checkout. */
  readonly folder: string
  readonly dialect: 'plain' | 'resilient'
}

export interface Side {
  readonly plan: SidePlan
  /** Runs so long under the load of all clients, and checks every answer. @throws Error on a wrong one */
  readonly measure: (durationMs: number) => Promise<SideFigures>
  readonly stop: () => void
}

/** Per answered request. */
export interface SideFigures {
  readonly cpuUs: number
  /** As `readIoCalls` counts. */
  readonly ioCalls: number
}

/** Starts it as a process of its own, from its checkout's own files and packages. @throws Error when it ends instead */
export async function startSide(plan: SidePlan, databaseUrl: string): Promise<Side> {
  const { title, folder, dialect } = plan
  const child = fork(join(folder, 'bench/pool-server.ts'), [dialect, databaseUrl], { cwd: folder })
  const [{ port }] = await messageOf<AddressInfo>(child, title)
  const cpuUs = async () => {
    const answer = messageOf<number>(child, title)
    child.send('cpu')
    return (await answer)[0]
  }
  const { pid } = child
  if (pid === undefined) throw new Error(`${title} has no process`)
  const measure = async (durationMs: number) => {
    const [cpuBefore, callsBefore] = [await cpuUs(), await readIoCalls(pid)]
    const answers = await load(port, durationMs)
    const [calls, cpu] = [await readIoCalls(pid), await cpuUs()]
    return { cpuUs: (cpu - cpuBefore) / answers, ioCalls: (calls - callsBefore) / answers }
  }
  return { plan, measure, stop: () => void (child.connected && child.disconnect()) }
}

/** The child's next message. */
async function messageOf<T>(child: ChildProcess, title: string): Promise<[T]> {
  const over = new AbortController()
  const ended = once(child, 'exit', { signal: over.signal }).then(([code, signal]) => {
    throw new Error(`${title} ended (${code ?? signal})`)
  })
  ended.catch(() => {}) // also when nobody waits any more
  try {
    return (await Promise.race([once(child, 'message', { signal: over.signal }), ended])) as [T]
  } finally {
    over.abort()
  }
}

/** Clients that each ask as soon as they are answered. Resolves with the number of answers. */
async function load(port: number, durationMs: number): Promise<number> {
  const endMs = performance.now() + durationMs
  let answers = 0
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true)
      await new Promise<void>((done, fail) => {
        socket.on('error', fail)
        socket.on('close', () => fail(new Error('the connection was closed')))
        socket.on('data', (data) => {
          if (!data.includes(ANSWER)) return fail(new Error(`wrong answer: ${data.toString()}`))
          answers += 1
          if (performance.now() < endMs) socket.write(REQUEST)
          else done()
        })
        socket.write(REQUEST)
      })
      socket.destroy()
    }),
  )
  return answers
}
