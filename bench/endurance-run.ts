import { checkAnswers } from './check-answers.ts'
import { readCityRows } from './city-rows.ts'
import { createMigratedSchema, urlOf } from './database.ts'
import { describeEndurance, documentEndurance, type EnduranceRun, type MemorySample } from './endurance-report.ts'
import { parseMemory } from './process-figures.ts'
import { publishBlock, writeProjectFile } from './publish.ts'
import type { RunDeps, RunResult } from './run.ts'
import { POOL_SIZE, type RunningStack, startStack } from './stack.ts'
import { findOwnStack } from './stacks.ts'
import { createWorkload, type Workload } from './workloads.ts'

const CONNECTIONS = 64
/** How often the memory is looked at. */
const SAMPLES = 20

/** What the service has in memory while it answers millions of requests: it must not grow with them. */
export async function runEndurance(deps: RunDeps): Promise<RunResult> {
  const schema = await createMigratedSchema(deps.server)
  try {
    const settings = { databaseUrl: await urlOf(schema.app), poolSize: POOL_SIZE }
    const service = await startStack(findOwnStack('service'), settings)
    const run = await endure(deps, service).finally(service.stop)
    const json = `${JSON.stringify(run, undefined, 1)}\n`
    return {
      text: describeEndurance(run),
      files: new Map([['endurance.json', json]]),
      errors: run.errors,
      publish: async () => {
        await writeProjectFile('docs/endurance.json', json)
        await publishBlock('docs/performance.md', 'endurance', documentEndurance(run))
      },
    }
  } finally {
    await schema.drop()
  }
}

async function endure(deps: RunDeps, service: RunningStack): Promise<EnduranceRun> {
  const cities = await readCityRows()
  const workload = createWorkload('seed', cities)
  const check = () => checkAnswers(service, { cities, workloads: [workload.name] })
  await check()
  const found = await load(deps, service, workload)
  await check()
  return { setup: deps.setup, load: `${workload.title}, ${CONNECTIONS} connections`, ...found }
}

/** Slice after slice, each with connections of its own, until so many requests were answered. */
async function load({ options, generator, progress, stopping }: RunDeps, service: RunningStack, workload: Workload) {
  const { url } = service
  const samples: MemorySample[] = []
  const step = options.requests / SAMPLES
  let [requests, errors, nextSample] = [0, 0, step]
  while (requests < options.requests && !stopping.aborted) {
    const slice = await generator.run({ url, workload, connections: CONNECTIONS, seconds: options.seconds })
    service.assertAlive()
    requests += slice.requests
    errors += slice.errors
    if (slice.errorText) progress.say(`ERRORS: ${slice.errorText}`)
    if (requests < nextSample) continue
    nextSample += step
    const metrics = await fetch(`${url}/metrics`)
    const sample = { requests, ...parseMemory(await metrics.text()) }
    samples.push(sample)
    progress.say(describeSample(sample, options.requests))
  }
  return { requests, errors, samples }
}

function describeSample({ requests, residentMb, heapMb }: MemorySample, all: number): string {
  const [done, total] = [requests, all].map((count) => count.toLocaleString('en'))
  return `${done} of ${total} requests: ${residentMb.toFixed(0)} MB resident, ${heapMb.toFixed(0)} MB of heap in use`
}
