// `npm run bench:pool`: CPU and system calls a request of the resilient pool against plain mysql2 + Kysely and, where one
// is named, against another checkout's pool; interleaved in one run.
import { resolve } from 'node:path'
import { NoLocalDatabaseError } from '../db/local/errors.ts'
import { createMigratedSchema, startServer, urlOf } from './database.ts'
import { UsageError } from './option-values.ts'
import { POOL_HELP, type PoolOptions, parsePoolOptions } from './pool-options.ts'
import { describePool } from './pool-report.ts'
import { CLIENTS, type Side, type SideFigures, type SidePlan, startSide } from './pool-side.ts'
import { describeCheckout } from './setup.ts'
import { takeTurns } from './take-turns.ts'

const SLICE_MS = 700
const project = resolve(import.meta.dirname, '..')
const say = (line: string) => process.stderr.write(`${line}\n`)

/** Ours first. */
async function plansOf({ against }: PoolOptions): Promise<readonly [SidePlan, ...SidePlan[]]> {
  const ours = { title: `this (${await describeCheckout(project)})`, folder: project, dialect: 'resilient' } as const
  const plain = { title: 'plain', folder: project, dialect: 'plain' } as const
  if (against === undefined) return [ours, plain]
  const { folder } = against
  return [ours, plain, { title: `other (${await describeCheckout(folder)})`, folder, dialect: 'resilient' }]
}

async function measureRounds(sides: readonly Side[], rounds: number): Promise<ReadonlyMap<Side, SideFigures[]>> {
  for (const side of sides) await side.measure(2 * SLICE_MS) // warm up
  const found = new Map<Side, SideFigures[]>(sides.map((side) => [side, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const side of takeTurns(sides, round)) found.get(side)?.push(await side.measure(SLICE_MS))
    const texts = sides.map((side) => `${side.plan.title} ${found.get(side)?.at(-1)?.cpuUs.toFixed(1)} us`)
    say(`pair ${round + 1}/${rounds}: ${texts.join(', ')}`)
  }
  return found
}

async function run(options: PoolOptions): Promise<void> {
  const server = await startServer(options.database, { say })
  try {
    const schema = await createMigratedSchema(server)
    const sides: Side[] = []
    try {
      const databaseUrl = await urlOf(schema.app)
      for (const plan of await plansOf(options)) sides.push(await startSide(plan, databaseUrl))
      const found = await measureRounds(sides, options.pairs)
      const [ours, ...others] = [...found].map(([{ plan }, slices]) => ({ title: plan.title, slices }))
      const head = `${server.name}, ${CLIENTS} clients, ${options.pairs} pairs of ${SLICE_MS} ms`
      if (ours) process.stdout.write(`${head}\n${describePool(ours, others)}\n`)
    } finally {
      for (const side of sides) side.stop()
      await schema.drop()
    }
  } finally {
    await server.stop()
  }
}

/** The exit code, as in sysexits.h where it has one. */
function codeOf(error: unknown): number {
  if (error instanceof UsageError) return 64
  return error instanceof NoLocalDatabaseError ? 69 : 1
}

try {
  const options = parsePoolOptions(process.argv.slice(2))
  if (options === undefined) process.stdout.write(POOL_HELP)
  else await run(options)
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = codeOf(error)
}
