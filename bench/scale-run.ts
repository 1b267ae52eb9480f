import { readCityRows } from './city-rows.ts'
import { type BenchSchema, createMigratedSchema, urlOf } from './database.ts'
import { publishBlock, writeProjectFile } from './publish.ts'
import type { RunDeps, RunResult } from './run.ts'
import { measurePoints, type Point, type ScaleCell } from './scale.ts'
import { describeScale, documentScale, type Experiment } from './scale-report.ts'
import { createFilledSchema, spreadWorkloads } from './scale-schema.ts'
import { type RunningStack, type Stack, startStack } from './stack.ts'
import { chooseStacks } from './stacks.ts'
import { createWorkload, type Workload } from './workloads.ts'

const POOL_SIZE = 16

/** Starts stacks that are stopped and makes schemas that are dropped when the experiment is over. */
interface Bench {
  readonly start: (stack: Stack, schema: BenchSchema, poolSize?: number) => Promise<RunningStack>
  readonly keep: (schema: BenchSchema) => BenchSchema
}

interface ScaleSteps {
  readonly connections: readonly number[]
  readonly pools: readonly number[]
  readonly rows: readonly number[]
}

const fullSteps: ScaleSteps = {
  connections: [1, 4, 16, 64, 256, 1024],
  pools: [1, 2, 4, 8, 16, 32, 64],
  rows: [600, 60_000, 6_000_000],
}
const quickSteps: ScaleSteps = { connections: [1, 64, 1024], pools: [1, 16], rows: [600, 60_000] }

/** How the cost grows. Errors are a finding here, not a failure: it looks for where things break. */
export async function runScale(deps: RunDeps): Promise<RunResult> {
  const steps = deps.options.isQuick ? quickSteps : fullSteps
  const cities = await readCityRows()
  const [seed, city] = [createWorkload('seed', cities), createWorkload('city', cities)]
  const [stock, service] = chooseStacks(['stock', 'service'], []) as [Stack, Stack]
  const stacks = { stock, service, seed, city, steps }
  const experiments: Experiment[] = []
  for (const { title, plan } of plans) {
    if (deps.stopping.aborted) break
    deps.progress.say(title)
    experiments.push({ title, cells: await withBench(deps, (bench) => plan(bench, { ...deps, ...stacks })) })
  }
  const { setup, options } = deps
  const json = `${JSON.stringify({ setup, seconds: options.seconds, rounds: options.rounds, experiments }, undefined, 1)}\n`
  return {
    text: describeScale(setup, experiments),
    files: new Map([['scale.json', json]]),
    errors: 0,
    publish: async () => {
      await writeProjectFile('docs/scale.json', json)
      await publishBlock('docs/performance.md', 'scale', documentScale(setup, options, experiments))
    },
  }
}

interface PlanDeps extends RunDeps {
  readonly stock: Stack
  readonly service: Stack
  readonly seed: Workload
  readonly city: Workload
  readonly steps: ScaleSteps
}

interface Plan {
  readonly title: string
  readonly plan: (bench: Bench, deps: PlanDeps) => Promise<readonly ScaleCell[]>
}

const plans: readonly Plan[] = [
  {
    title: `Connections (pool of ${POOL_SIZE})`,
    plan: async (bench, deps) => {
      const schema = bench.keep(await createMigratedSchema(deps.server))
      const running = [await bench.start(deps.service, schema), await bench.start(deps.stock, schema)]
      const points = deps.steps.connections.flatMap((connections) =>
        running.map((one) => ({ ...pointOf(one, deps.seed, connections), at: `${connections} connections` })),
      )
      return await measurePoints(points, deps)
    },
  },
  {
    title: 'Pool size (64 connections of the load)',
    plan: async (bench, deps) => {
      const schema = bench.keep(await createMigratedSchema(deps.server))
      const points: Point[] = []
      for (const size of deps.steps.pools) {
        for (const stack of [deps.service, deps.stock]) {
          const one = await bench.start(stack, schema, size)
          points.push({ ...pointOf(one, deps.seed, 64), at: `pool of ${size}` })
        }
      }
      return await measurePoints(points, deps)
    },
  },
  {
    title: 'Processes (64 connections of the load, shared out; a pool and a generator each)',
    plan: async (bench, deps) => {
      const schema = bench.keep(await createMigratedSchema(deps.server))
      const [one, two] = [await bench.start(deps.service, schema), await bench.start(deps.service, schema)]
      const alone = pointOf(one, deps.seed, 64)
      return await measurePoints(
        [
          { ...alone, at: '1 process' },
          { ...alone, stacks: [one, two], at: '2 processes' },
        ],
        deps,
      )
    },
  },
  {
    title: `Rows of the table (16 connections)`,
    plan: async (bench, deps) => {
      const points: Point[] = []
      for (const rows of deps.steps.rows) {
        const text = rows.toLocaleString('en')
        deps.progress.say(`filling a table of ${text} rows`)
        const schema = bench.keep(await createFilledSchema(deps.server, rows))
        for (const stack of [deps.service, deps.stock]) {
          const one = await bench.start(stack, schema)
          for (const workload of spreadWorkloads(deps.seed, deps.city, rows)) {
            const subject = `${stack.title}, ${workload.name === 'seed' ? 'by name' : 'by id'}`
            points.push({ ...pointOf(one, workload, 16), subject, at: `${text} rows` })
          }
        }
      }
      return await measurePoints(points, deps)
    },
  },
]

function pointOf(one: RunningStack, workload: Workload, connections: number): Omit<Point, 'at'> {
  return { subject: one.stack.title, stacks: [one], workload, connections }
}

async function withBench<T>({ generator, options }: RunDeps, task: (bench: Bench) => Promise<T>): Promise<T> {
  const running: RunningStack[] = []
  const schemas: BenchSchema[] = []
  const cities = await readCityRows()
  try {
    return await task({
      start: async (stack, schema, poolSize = POOL_SIZE) => {
        const one = await startStack(stack, { databaseUrl: await urlOf(schema.app), poolSize })
        running.push(one)
        // Warm: the first requests of a process are compiled as they run.
        await generator.run({
          url: one.url,
          workload: createWorkload('seed', cities),
          connections: 16,
          seconds: options.seconds,
        })
        return one
      },
      keep: (schema) => {
        schemas.push(schema)
        return schema
      },
    })
  } finally {
    await Promise.all(running.map(({ stop }) => stop()))
    for (const { drop } of schemas) await drop()
  }
}
