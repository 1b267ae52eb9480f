import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, beforeEach, test } from 'vitest'
import { MigrationLockError } from '../../db/migration-lock.ts'
import { migrateDown, migrateToLatest, readMigrationStatus } from '../../db/migrator.ts'
import { openPlainConnection } from '../support/server-faults.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

/** Two migrations of a table that others use: an index, and a column. */
const migrations = {
  '0001_table': [
    'create table if not exists busy (id int primary key, text varchar(50)) engine = InnoDB',
    'drop table if exists busy',
  ],
  '0002_column': ['alter table busy add column more int', 'alter table busy drop column more'],
}

let schema: TestSchema
let folder: string
/** A report: it has read the table in a transaction, and not ended it. */
let report: Connection

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'still-here-migrations-'))
  for (const [name, [up, down]] of Object.entries(migrations)) {
    const run = (text = '') =>
      `(db) => db.executeQuery({ sql: ${JSON.stringify(text)}, parameters: [], query: { kind: 'RawNode' } })`
    await writeFile(join(folder, `${name}.mjs`), `export const up = ${run(up)}\nexport const down = ${run(down)}\n`)
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))
beforeEach(async () => {
  schema = await createTestSchema()
  await migrateToLatest(schema.migrator, folder)
  await migrateDown(schema.migrator, folder)
  report = await openPlainConnection(schema.migrator)
  await report.query('begin')
  await report.query('select count(*) from busy')
})
afterEach(async () => {
  report.destroy()
  await schema.drop()
})

const hasRun = async () =>
  (await readMigrationStatus(schema.migrator, folder)).filter(({ executedAt }) => executedAt).map(({ name }) => name)

test('a migration behind a report lets readers through, says what it waits for, and is done when the report is', async () => {
  const texts: string[] = []
  const startedAtMs = performance.now()
  const migrating = migrateToLatest(schema.migrator, folder, { onWait: (text) => texts.push(text) })
  const reader = await openPlainConnection(schema.app)
  const slowest: number[] = []
  while (performance.now() - startedAtMs < 3_500) {
    const askedAtMs = performance.now()
    await reader.query('select * from busy where id = 1')
    slowest.push(performance.now() - askedAtMs)
    await sleep(20)
  }
  reader.destroy()
  await report.query('rollback')
  assert.deepEqual(await migrating, ['0002_column'])
  const tookMs = performance.now() - startedAtMs
  assert.ok(tookMs < 10_000, `${tookMs} ms`)
  assert.ok(Math.max(...slowest) < 2_000, `a read took ${Math.max(...slowest)} ms`)
  const waited = slowest.filter((ms) => ms > 200).length
  assert.ok(waited >= 1 && waited <= 3, `${waited} of ${slowest.length} reads waited`)
  assert.ok(texts.length >= 1 && texts.length <= 4, texts.join('\n'))
  for (const text of texts) {
    assert.match(text, /^migration 0002_column failed: Lock wait timeout exceeded.*; .*; trying again in \d\.\d s$/)
    assert.match(text, new RegExp(`session ${report.threadId} \\(${schema.migrator.user}@`))
  }
  assert.deepEqual(await hasRun(), ['0001_table', '0002_column'])
})

test('it gives up at its limit, names who has the lock to an account that may know, and has done nothing', async () => {
  const { user, password } = schema.admin
  const asAdmin = { ...schema.migrator, user, password }
  const startedAtMs = performance.now()
  const texts: string[] = []
  const migrating = migrateToLatest(asAdmin, folder, { lockTimeoutMs: 3_000, onWait: (text) => texts.push(text) })
  await assert.rejects(migrating, (error) => {
    assert.ok(error instanceof MigrationLockError)
    assert.match(error.message, /^gave up after 3 s: migration 0002_column failed: Lock wait timeout exceeded/)
    const tells = schema.flavour === 'mysql' ? 'the lock is held by' : '(the lock is held by|transactions are open in)'
    assert.match(error.message, new RegExp(`; ${tells} session ${report.threadId} \\(${schema.migrator.user}@`))
    return true
  })
  assert.ok(performance.now() - startedAtMs < 4_500)
  assert.equal(texts.length, 1)
  assert.deepEqual(await hasRun(), ['0001_table'])
  await report.query('rollback')
  assert.deepEqual(await migrateToLatest(schema.migrator, folder), ['0002_column'])
})

test('what is taken back waits in the same way', async () => {
  const down = migrateDown(schema.migrator, folder) // drops the table that the report has read
  await sleep(1_500)
  await report.query('rollback')
  assert.deepEqual(await down, ['0001_table'])
  assert.deepEqual(await hasRun(), [])
})

test('npm run migrate tells on standard error whom it waits for', async () => {
  // The project's own migrations: the report reads `city` before its index is there again.
  const own = resolve(import.meta.dirname, '../../migrations')
  report.destroy()
  await schema.drop()
  schema = await createTestSchema()
  const names = await migrateToLatest(schema.migrator, own)
  for (const name of names.toReversed()) {
    await migrateDown(schema.migrator, own)
    if (name.startsWith('0005')) break
  }
  report = await openPlainConnection(schema.migrator)
  await report.query('begin')
  await report.query('select count(*) from city')
  const { host, port, user, database } = schema.migrator
  const env = {
    ...process.env,
    DATABASE_URL: `mysql://${user}:${await schema.migrator.password()}@${host}:${port}/${database}`,
  }
  const ended = new Promise<{ code: unknown; stderr: string; stdout: string }>((done) => {
    const entry = resolve(import.meta.dirname, '../../src/migrate.ts')
    const child = execFile(process.execPath, [entry], { env }, (error, stdout, stderr) =>
      done({ code: error?.code ?? 0, stderr, stdout }),
    )
    child.stderr?.once('data', () => void report.query('rollback'))
  })
  const { code, stderr, stdout } = await ended
  assert.match(stderr, new RegExp(`^migration 0005_index_city_name failed: .* session ${report.threadId} \\(.*\\n$`))
  assert.match(stdout, /^migrated: 0005_index_city_name\n/)
  assert.equal(code, 0)
})
