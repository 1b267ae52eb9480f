import { checkAnswers } from './check-answers.ts'
import type { CityRow } from './city-rows.ts'
import { assertCreated, resetCities } from './city-table.ts'
import { type BenchSchema, urlOf } from './database.ts'
import { measure } from './measure.ts'
import type { RunDeps } from './run.ts'
import { POOL_SIZE, type RunningStack, type Stack, startStack } from './stack.ts'
import type { Slice } from './summary.ts'
import { takeTurns } from './take-turns.ts'
import { createWorkload, type Workload } from './workloads.ts'

const WARM_UP_CONNECTIONS = 16

export interface CompareDeps extends Omit<RunDeps, 'setup'> {
  readonly schema: BenchSchema
  readonly stacks: readonly Stack[]
  readonly cities: readonly CityRow[]
}

/** Measures all stacks under all loads, interleaved: every round holds one slice of each. @throws Error on a wrong answer */
export async function compare(deps: CompareDeps): Promise<readonly Slice[]> {
  const running: RunningStack[] = []
  try {
    const databaseUrl = await urlOf(deps.schema.app)
    for (const stack of deps.stacks) running.push(await startStack(stack, { databaseUrl, poolSize: POOL_SIZE }))
    await checkAll(deps, running)
    await warmUp(deps, running)
    const slices = await measureRounds(deps, running)
    // Once more: nothing that the load did may have changed what is answered.
    await checkAll(deps, running)
    return slices
  } finally {
    await Promise.all(running.map(({ stop }) => stop()))
  }
}

async function checkAll({ options, schema, cities, progress }: CompareDeps, running: readonly RunningStack[]) {
  for (const one of running) {
    const workloads = one.stack.workloads.filter((name) => options.workloads.includes(name))
    await checkAnswers(one, { cities, workloads })
  }
  await resetCities(schema.admin)
  progress.say(`answers of ${running.length} stacks are right`)
}

async function warmUp(
  { options, schema, generator, stopping, ...deps }: CompareDeps,
  running: readonly RunningStack[],
) {
  for (const workload of workloadsOf({ options, ...deps })) {
    for (const { url } of answering(running, workload)) {
      if (stopping.aborted) return
      await generator.run({ url, workload, connections: WARM_UP_CONNECTIONS, seconds: options.seconds })
      if (workload.name === 'create') await resetCities(schema.admin)
    }
  }
}

async function measureRounds(deps: CompareDeps, running: readonly RunningStack[]): Promise<readonly Slice[]> {
  const { options, progress, stopping } = deps
  const loads = workloadsOf(deps).flatMap((workload) =>
    options.concurrency.map((connections) => ({ workload, connections })),
  )
  const slices: Slice[] = []
  progress.begin(options.rounds * loads.length)
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const { workload, connections } of loads) {
      const found: Slice[] = []
      for (const one of takeTurns(answering(running, workload), round)) {
        if (stopping.aborted) return slices
        found.push(await measureSlice(deps, { one, workload, connections, round }))
      }
      slices.push(...found)
      const texts = found.map(({ stack, requestsPerSecond, errorText }) =>
        [stack, Math.round(requestsPerSecond), ...(errorText ? [`(ERRORS: ${errorText})`] : [])].join(' '),
      )
      progress.step(
        `round ${round}/${options.rounds}, ${workload.name}, c=${connections}: ${texts.join(', ')} requests/s`,
      )
    }
  }
  return slices
}

interface OneSlice {
  readonly one: RunningStack
  readonly workload: Workload
  readonly connections: number
  readonly round: number
}

async function measureSlice(deps: CompareDeps, { one, workload, connections, round }: OneSlice): Promise<Slice> {
  const { generator, server, schema, options } = deps
  const writes = workload.name === 'create'
  if (writes) await resetCities(schema.admin)
  const { seconds } = options
  const figures = await measure({ generator, server, stacks: [one], workload, connections, seconds })
  if (writes && figures.errors === 0) await assertCreated(schema.admin, { requests: figures.requests, connections })
  return { stack: one.stack.name, workload: workload.name, connections, round, ...figures }
}

function workloadsOf({ options, cities }: Pick<CompareDeps, 'options' | 'cities'>): readonly Workload[] {
  return options.workloads.map((name) => createWorkload(name, cities))
}

function answering(running: readonly RunningStack[], { name }: Workload): readonly RunningStack[] {
  return running.filter(({ stack }) => stack.workloads.includes(name))
}
