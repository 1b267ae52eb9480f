import { type BenchSchema, createMigratedSchema } from './database.ts'
import type { RunDeps } from './run.ts'
import { measurePoints, type Point, type ScaleCell } from './scale.ts'
import { createFilledSchema, spreadWorkloads } from './scale-schema.ts'
import { POOL_SIZE, type RunningStack, type Stack } from './stack.ts'
import type { Workload } from './workloads.ts'

/** Starts stacks that are stopped and makes schemas that are dropped when the experiment is over. */
export interface Bench {
  readonly start: (stack: Stack, schema: BenchSchema, poolSize?: number) => Promise<RunningStack>
  readonly keep: (schema: BenchSchema) => BenchSchema
}

export interface ScaleSteps {
  readonly connections: readonly number[]
  readonly pools: readonly number[]
  readonly rows: readonly number[]
}

export const fullSteps: ScaleSteps = {
  connections: [1, 4, 16, 64, 256, 1024],
  pools: [1, 2, 4, 8, 16, 32, 64],
  rows: [600, 60_000, 6_000_000],
}
export const quickSteps: ScaleSteps = { connections: [1, 64, 1024], pools: [1, 16], rows: [600, 60_000] }

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

/** The experiments, one after the other. */
export const plans: readonly Plan[] = [
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
