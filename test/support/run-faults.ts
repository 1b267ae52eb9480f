// `npm run faults`: every fault in full, on each server there is; `-- --baseline`: against plain Kysely and mysql2.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { mergeRecords, renderReport } from './faults-report.ts'
import { type FigureRecord, parseFigureRecord, serialiseFigureRecord } from './figures.ts'

const project = resolve(import.meta.dirname, '../..')
const dataFile = join(project, 'docs/faults.json')
const reportFile = join(project, 'docs/faults.md')

const { values, positionals } = parseArgs({
  // Parts of the names of test files: only those are run.
  allowPositionals: true,
  options: {
    baseline: { type: 'boolean', default: false },
    /** `local`, `docker`, or both, which is the default. */
    database: { type: 'string', multiple: true, default: ['local', 'docker'] },
  },
})

// The yardstick is measured where the service is; the pool's own scenarios are not about it.
const wholeRun = values.baseline ? ['test/faults/service-'] : ['test/faults/']
const files = positionals.length > 0 ? positionals : wholeRun

/** One run of the faults project; resolves with what it recorded, and whether all of it was within its bounds. */
async function run(database: string): Promise<{ isGood: boolean; records: readonly FigureRecord[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'still-here-faults-'))
  try {
    const recordFile = join(folder, 'record.jsonl')
    const vitest = join(project, 'node_modules/vitest/vitest.mjs')
    const child = spawn(process.execPath, [vitest, 'run', '--project', 'faults', ...files], {
      cwd: project,
      stdio: 'inherit',
      env: {
        ...process.env,
        TEST_DATABASE: database,
        FAULTS: 'full',
        FAULTS_SUBJECT: values.baseline ? 'plain' : 'service',
        FAULTS_RECORD: recordFile,
      },
    })
    const [code] = await once(child, 'exit')
    // Absent when there is no such server here.
    const text = await readFile(recordFile, 'utf8').catch(() => '')
    return { isGood: code === 0, records: text.split('\n').filter(Boolean).map(parseFigureRecord) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function readRecords(): Promise<readonly FigureRecord[]> {
  const lines = (await readFile(dataFile, 'utf8').catch(() => '')).split('\n')
  return lines
    .map((line) => line.replace(/,$/, ''))
    .filter((line) => line.startsWith('{'))
    .map(parseFigureRecord)
}

for (const database of values.database) {
  const { isGood, records } = await run(database)
  if (!isGood) process.exitCode = 1
  if (records.length === 0) {
    console.info(`TEST_DATABASE=${database}: nothing was measured`)
    continue
  }
  const merged = mergeRecords(await readRecords(), records, { isWhole: positionals.length === 0 })
  // A record a line, so that a change of one is a change of one line.
  await writeFile(dataFile, `[\n${merged.map(serialiseFigureRecord).join(',\n')}\n]\n`)
  await writeFile(reportFile, renderReport(merged))
}
