import { setTimeout as sleep } from 'node:timers/promises'
import { createWaveSender } from '../test/support/clients.ts'
import { startFaultProxy } from '../test/support/fault-proxy.ts'
import { type BenchSchema, createMigratedSchema, urlOf } from './database.ts'
import { describePauses, type PausedReads } from './pauses-report.ts'
import type { RunDeps, RunResult } from './run.ts'
import { captionOf } from './setup.ts'
import { POOL_SIZE, type RunningStack, startStack } from './stack.ts'
import { findOwnStack, stackOfCheckout } from './stacks.ts'

/** Reads of each stack before it is measured, one after the other. */
const WARM_UP = 100

/** One read at a time, each after a pause: what a pool does to a connection before it trusts it again is in it. */
export async function runPauses(deps: RunDeps): Promise<RunResult> {
  const { against, roundTripMs, seconds } = deps.options
  const other = against ? [await stackOfCheckout(against)] : []
  const stacks = [findOwnStack('stock'), ...other, findOwnStack('service')]
  const schema = await createMigratedSchema(deps.server)
  const link = await openLink(schema, roundTripMs)
  const running: RunningStack[] = []
  try {
    for (const stack of stacks) {
      running.push(await startStack(stack, { databaseUrl: link.databaseUrl, poolSize: POOL_SIZE }))
    }
    const { reads, errors } = await readInTurns(running, deps)
    const caption = captionOf(deps.setup)
    const load = `GET /?city=London, one each ${seconds} s, a round trip to the database takes ${roundTripMs} ms longer`
    const isEmpty = reads.every(({ tookMs }) => tookMs.length === 0)
    const tables = isEmpty ? 'nothing was measured' : describePauses(reads)
    return {
      text: [caption, '', load, tables, ...errors].join('\n'),
      files: new Map([['pauses.json', `${JSON.stringify({ setup: deps.setup, seconds, roundTripMs, reads })}\n`]]),
      errors: errors.length,
      publish: async () => {}, // refused with the arguments
    }
  } finally {
    await Promise.all(running.map(({ stop }) => stop()))
    await link.close()
    await schema.drop()
  }
}

interface Link {
  readonly databaseUrl: string
  readonly close: () => Promise<void>
}

async function openLink({ app }: BenchSchema, roundTripMs: number): Promise<Link> {
  if (roundTripMs === 0) return { databaseUrl: await urlOf(app), close: async () => {} }
  const proxy = await startFaultProxy(app)
  proxy.delayMs = roundTripMs / 2
  return { databaseUrl: await urlOf({ ...app, ...proxy.address }), close: () => proxy.dispose() }
}

/** The stacks' reads are spread over each pause, so that none meets another, and each stack's come evenly. */
async function readInTurns(
  running: readonly RunningStack[],
  { options: { rounds, seconds }, progress, stopping }: RunDeps,
): Promise<{ readonly reads: readonly PausedReads[]; readonly errors: readonly string[] }> {
  const clients = running.map(({ stack, url }) => ({ stack, wave: createWaveSender({ url }), tookMs: [] as number[] }))
  const errors: string[] = []
  for (const { wave } of clients) for (let read = 0; read < WARM_UP; read += 1) await wave.send(1)
  const periodMs = (seconds * 1000) / clients.length
  let dueAtMs = performance.now()
  progress.begin(rounds)
  for (let round = 1; round <= rounds && !stopping.aborted; round += 1) {
    for (const { stack, wave, tookMs } of clients) {
      dueAtMs += periodMs
      await sleep(Math.max(0, dueAtMs - performance.now()))
      const [record] = await wave.send(1)
      if (record === undefined) continue
      tookMs.push(record.endMs - record.startMs)
      if (!record.isOk) errors.push(`${stack.name}: ${record.status} ${record.body.slice(0, 200)}`)
    }
    const texts = clients.map(({ stack, tookMs }) => `${stack.name} ${tookMs.at(-1)?.toFixed(2)}`)
    progress.step(`round ${round}/${rounds}: ${texts.join(', ')} ms`)
  }
  for (const { wave } of clients) wave.close()
  return { reads: clients.map(({ stack: { name, title }, tookMs }) => ({ name, title, tookMs })), errors }
}
