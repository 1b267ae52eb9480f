import { readCityRows } from './city-rows.ts'
import { type BenchSchema, urlOf } from './database.ts'
import { publishBlock, writeProjectFile } from './publish.ts'
import type { RunDeps, RunResult } from './run.ts'
import { type Bench, fullSteps, plans, quickSteps } from './scale-plans.ts'
import { describeScale, documentScale, type Experiment } from './scale-report.ts'
import { POOL_SIZE, type RunningStack, startStack } from './stack.ts'
import { findOwnStack } from './stacks.ts'
import { createWorkload } from './workloads.ts'

/** How the cost grows. Errors are a finding here, not a failure: it looks for where things break. */
export async function runScale(deps: RunDeps): Promise<RunResult> {
  const steps = deps.options.isQuick ? quickSteps : fullSteps
  const cities = await readCityRows()
  const [seed, city] = [createWorkload('seed', cities), createWorkload('city', cities)]
  const stacks = { stock: findOwnStack('stock'), service: findOwnStack('service'), seed, city, steps }
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
