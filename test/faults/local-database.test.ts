import assert from 'node:assert/strict'
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { chown, mkdir, mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import { afterEach, test as anyTest, beforeEach, inject } from 'vitest'
import type { ConnectionOptions } from '../../db/connection-options.ts'
import { DatabaseStartError } from '../../db/local/errors.ts'
import { type LocalDatabase, type LocalDatabaseOptions, startLocalDatabase } from '../../db/local/local-database.ts'
import '../support/provided-context.ts'

// A run in Docker may be on a machine where no local server can be had; CI runs the suite both ways.
const isLocal = inject('serverKind').name === 'local'
const test = anyTest.runIf(isLocal)

let folder = ''
let databases: LocalDatabase[] = []
let children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'still-here-test-'))
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(databases.map((database) => database.stop()))
  databases = []
  children = []
  await rm(folder, { recursive: true })
})

async function start(options: Partial<LocalDatabaseOptions> = {}): Promise<LocalDatabase> {
  const database = await startLocalDatabase({ folder, environment: process.env, say: () => {}, ...options })
  databases.push(database)
  return database
}

/** A process that starts a database and stays: itself, and the pid of its database. */
async function startService(): Promise<{ service: ChildProcess; databasePid: number }> {
  const service = spawnService()
  const [line] = await once(service.stdout, 'data')
  return { service, databasePid: Number(line) }
}

function spawnService(): ChildProcessByStdio<null, Readable, null> {
  const script = join(import.meta.dirname, '../support/start-local-database.ts')
  const service = spawn(process.execPath, [script, folder], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  children.push(service)
  return service
}

/** A dead process that nobody has waited for yet (state Z) does nothing any more. */
function isRunning(pid: number): boolean {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/^\d+ \(.*\) [ZX]/.test(readFileSync(path, 'utf8'))
}

/** At most 2 s. */
async function isGone(pid: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < 2_000 && isRunning(pid); waitedMs += 10) await sleep(10)
  return !isRunning(pid)
}

async function query(options: ConnectionOptions, sql: string): Promise<unknown> {
  const connection = await createConnection({ ...options, password: await options.password() })
  try {
    return (await connection.query(sql))[0]
  } finally {
    await connection.end()
  }
}

test('keeps its data and its accounts between two starts', async () => {
  const first = await start()
  await query(first.app, 'CREATE TABLE note (id INT)')
  await query(first.app, 'INSERT INTO note VALUES (1)')
  await first.stop()
  const second = await start()
  assert.equal(second.dataFolder, first.dataFolder)
  assert.deepEqual(await query({ ...first.app, port: second.app.port }, 'SELECT id FROM note'), [{ id: 1 }])
})

test('a second start at the same time takes a place of its own', async () => {
  const [first, second] = await Promise.all([start(), start()])
  const slots = new Set([first, second].map(({ dataFolder }) => basename(dataFolder).slice(-2)))
  assert.deepEqual(slots, new Set(['-1', '-2']))
  assert.notEqual(first.app.port, second.app.port)
  await query(first.app, 'CREATE TABLE note (id INT)')
  assert.deepEqual(await query(second.app, 'SHOW TABLES'), [])
})

test('the app user has its schema only, and no reach into files', async () => {
  const { app, admin } = await start()
  await query(admin, 'CREATE DATABASE other')
  await assert.rejects(query({ ...app, database: 'other' }, 'SELECT 1'), { errno: 1044 })
  // MariaDB names the missing privilege, MySQL only denies the access.
  const denied = (error: unknown) =>
    error instanceof Error && 'errno' in error && [1045, 1227].includes(Number(error.errno))
  await assert.rejects(query(app, "SELECT 1 INTO OUTFILE '/tmp/still-here-outfile'"), denied)
})

test('passwords are for their owner only', async () => {
  const { dataFolder } = await start()
  assert.equal((await stat(dataFolder)).mode & 0o777, 0o700)
  assert.equal((await stat(join(dataFolder, 'accounts.json'))).mode & 0o777, 0o600)
  assert.equal((await stat(join(dataFolder, 'accounts.sql'))).mode & 0o777, 0o600)
})

test('stop ends the server within 1.5 s and removes ephemeral data', async () => {
  const database = await start({ ephemeral: true })
  const startedAt = performance.now()
  await database.stop()
  assert.ok(performance.now() - startedAt < 1_500)
  assert.equal(isRunning(database.pid), false)
  assert.deepEqual(await readdir(folder), [])
})

test('dies with a service that is killed, and the next start has its data', async () => {
  const { service, databasePid } = await startService()
  assert.equal(isRunning(databasePid), true)
  service.kill('SIGKILL')
  assert.equal(await isGone(databasePid), true)
  assert.equal(basename((await start()).dataFolder).slice(-2), '-1')
})

test('dies with a service that is killed also while it is frozen', async () => {
  const { service, databasePid } = await startService()
  process.kill(databasePid, 'SIGSTOP')
  service.kill('SIGKILL')
  assert.equal(await isGone(databasePid), true)
})

test('is not reached by Ctrl-C, so that the service can finish first', async () => {
  const { service, databasePid } = await startService()
  const statOf = (pid: number | undefined) =>
    readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')
  // Fields 5 and 6 of proc(5): process group and session.
  assert.equal(statOf(databasePid)[2], String(databasePid))
  assert.equal(statOf(databasePid)[3], String(databasePid))
  assert.notEqual(statOf(service.pid)[3], String(databasePid))
})

test('a server that does not start says why', async () => {
  await assert.rejects(start({ serverArguments: ['--no-such-option'] }), (error) => {
    assert.ok(error instanceof DatabaseStartError)
    assert.match(error.message, /instead of serving; its last words:/)
    assert.match(error.log, /no-such-option/)
    return true
  })
})

test('a start that is given up leaves no process and nothing half-made', async () => {
  const stop = new AbortController()
  const starting = start({ signal: stop.signal, ephemeral: true })
  while (!(await readdir(folder)).some((name) => name.startsWith('ephemeral-'))) await sleep(1)
  stop.abort(new Error('enough'))
  await assert.rejects(starting, { message: 'enough' })
  assert.deepEqual(await readdir(folder), [])
})

test('a start that is killed half-way leaves nothing that looks finished', async () => {
  const service = spawnService()
  while (!(await readdir(folder)).some((name) => name.startsWith('new-'))) await sleep(1)
  service.kill('SIGKILL')
  await once(service, 'exit')
  const [left = ''] = await readdir(folder)
  assert.match(left, /^new-/)
  const database = await start()
  assert.deepEqual(await query(database.app, 'SELECT DATABASE() AS name'), [{ name: 'sakila' }])
})

test('the next start removes what was abandoned an hour ago, and nothing younger', async () => {
  const hourAgo = Date.now() / 1_000 - 3_600
  for (const [name, time] of [
    ['new-old', hourAgo - 1],
    ['ephemeral-old', hourAgo - 1],
    ['new-young', hourAgo + 60],
    ['mine', 0],
  ] as const) {
    await mkdir(join(folder, name))
    await utimes(join(folder, name), time, time)
  }
  const { dataFolder } = await start()
  assert.deepEqual(new Set(await readdir(folder)), new Set([basename(dataFolder), 'mine', 'new-young']))
})

// Only root can give a folder away.
anyTest.runIf(isLocal && process.getuid?.() === 0)(
  'leaves alone the data of another user, whose files it could not open',
  async () => {
    const first = await start()
    await first.stop()
    await chown(first.dataFolder, 65_534, 65_534)
    assert.equal(basename((await start()).dataFolder).slice(-2), '-2')
  },
)
