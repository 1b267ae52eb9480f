// `npm run bench:pool`: CPU per request of the resilient pool against plain mysql2 + Kysely, interleaved in one run.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { resolve } from 'node:path'
import { startLocalDatabase } from '../db/local/local-database.ts'
import { migrateToLatest } from '../db/migrator.ts'
import { urlOf } from './database.ts'
import { summarise } from './statistics.ts'

const PAIRS = 30
const SLICE_MS = 700
const CLIENTS = 16

const project = resolve(import.meta.dirname, '..')
const REQUEST = 'GET /?city=London HTTP/1.1\r\nHost: bench\r\n\r\n'
const ANSWER = 'City "London" is #312'

interface Side {
  readonly child: ChildProcess
  readonly port: number
}

async function startSide(dialect: string, databaseUrl: string): Promise<Side> {
  const child = fork(resolve(import.meta.dirname, 'pool-server.ts'), [dialect, databaseUrl])
  const [address] = (await once(child, 'message')) as [AddressInfo]
  return { child, port: address.port }
}

async function cpuUs({ child }: Side): Promise<number> {
  child.send('cpu')
  const [us] = (await once(child, 'message')) as [number]
  return us
}

/** Sixteen clients, each asking as soon as it is answered; checks every answer. Resolves with the number of answers. */
async function load(port: number, durationMs: number): Promise<number> {
  const endMs = performance.now() + durationMs
  let answers = 0
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true)
      await new Promise<void>((done, fail) => {
        socket.on('error', fail)
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

/** CPU of one slice, in microseconds a request. */
async function measure(side: Side): Promise<number> {
  const before = await cpuUs(side)
  const answers = await load(side.port, SLICE_MS)
  return ((await cpuUs(side)) - before) / answers
}

const say = (line: string) => process.stderr.write(`${line}\n`)
const local = await startLocalDatabase({
  folder: resolve(project, '.local'),
  environment: process.env,
  say,
  ephemeral: true,
})
try {
  await migrateToLatest(local.app, resolve(project, 'migrations'))
  const databaseUrl = await urlOf(local.app)
  const plain = await startSide('plain', databaseUrl)
  const resilient = await startSide('resilient', databaseUrl)
  for (const side of [plain, resilient]) await load(side.port, 2 * SLICE_MS) // warm up
  const pairs: { readonly plainUs: number; readonly resilientUs: number }[] = []
  for (let pair = 1; pair <= PAIRS; pair += 1) {
    // Each goes first as often as the other.
    const first = pair % 2 ? plain : resilient
    const firstUs = await measure(first)
    const secondUs = await measure(first === plain ? resilient : plain)
    const [plainUs, resilientUs] = first === plain ? [firstUs, secondUs] : [secondUs, firstUs]
    pairs.push({ plainUs, resilientUs })
    say(`pair ${pair}/${PAIRS}: plain ${plainUs.toFixed(1)} us, resilient ${resilientUs.toFixed(1)} us`)
  }
  const ratio = summarise(pairs.map(({ plainUs, resilientUs }) => resilientUs / plainUs))
  const plainUs = summarise(pairs.map((pair) => pair.plainUs)).median
  const resilientUs = summarise(pairs.map((pair) => pair.resilientUs)).median
  process.stdout.write(
    `${local.description}\n${CLIENTS} clients, ${PAIRS} pairs of ${SLICE_MS} ms: ` +
      `plain ${plainUs.toFixed(1)} us, resilient ${resilientUs.toFixed(1)} us of CPU a request; ` +
      `ratio ${ratio.median.toFixed(3)} (95 %: ${ratio.interval?.low.toFixed(3)} to ${ratio.interval?.high.toFixed(3)})\n`,
  )
  for (const { child } of [plain, resilient]) child.disconnect()
} finally {
  await local.stop()
}
