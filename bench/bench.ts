// Process entry: `npm run bench`.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { NoLocalDatabaseError } from '../db/local/errors.ts'
import { runCompare } from './compare-run.ts'
import { startServer } from './database.ts'
import { runEndurance } from './endurance-run.ts'
import { chooseGenerator } from './load/choose-generator.ts'
import { UsageError } from './option-values.ts'
import { type BenchOptions, HELP, parseOptions } from './options.ts'
import { runPauses } from './pauses-run.ts'
import { createProgress } from './progress.ts'
import { resultsFolder } from './results-folder.ts'
import { runScale } from './scale-run.ts'
import { largeServerSettings } from './scale-schema.ts'
import { describeSetup } from './setup.ts'

const runs = { compare: runCompare, pauses: runPauses, scale: runScale, endurance: runEndurance } as const

const progress = createProgress((text) => process.stderr.write(text))
const stopping = new AbortController()
// Every stack has a listener that kills it when this process ends.
process.setMaxListeners(100)
process.on('SIGINT', () => {
  if (stopping.signal.aborted) process.exit(130)
  progress.say('ending after this slice; once more ends at once')
  stopping.abort()
})

/** The exit code. */
async function run(options: BenchOptions): Promise<number> {
  const { what, database } = options
  const generator = await chooseGenerator(options.generator)
  const settings = what === 'scale' ? largeServerSettings : []
  const server = await startServer(database, { say: progress.say, settings })
  try {
    const at = new Date().toISOString()
    const setup = await describeSetup({ at, database: server.name, generator: generator.name })
    progress.say(
      `${server.name}, load by ${generator.name}; generator, service and database share ${setup.cores} cores`,
    )
    const deps = { options, setup, server, generator, progress, stopping: stopping.signal }
    const result = await runs[what](deps)
    await mkdir(resultsFolder, { recursive: true })
    for (const [name, text] of result.files) await writeFile(join(resultsFolder, name), text)
    process.stdout.write(`${result.text}\n`)
    progress.say(`results: bench/results/${[...result.files.keys()].join(', ')}`)
    if (stopping.signal.aborted) return 130
    if (result.errors > 0) {
      progress.say(`${result.errors} ERRORS: nothing is published`)
      return 1
    }
    if (options.publishes) await result.publish()
    return 0
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
  const options = parseOptions(process.argv.slice(2))
  if (options === undefined) process.stdout.write(HELP)
  else process.exitCode = await run(options)
} catch (error) {
  progress.say(error instanceof Error ? error.message : String(error))
  process.exitCode = codeOf(error)
}
