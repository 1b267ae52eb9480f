import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import { type ResilientMysqlDialect, resilientMysqlDialect } from '../../db/dialect.ts'
import { asRead } from '../../db/statement-kind.ts'
import { parseConfig } from '../../src/config.ts'
import { until } from '../support/fault-site.ts'
import { durationOf, type PoolServer, startPoolServer } from '../support/pool-site.ts'
import { killSessions, listSessions } from '../support/server-faults.ts'

let server: PoolServer
let folder: string
let dialect: ResilientMysqlDialect
let db: Kysely<unknown>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'still-here-socket-'))
  await chmod(folder, 0o777) // the server may be another user
  const socketPath = join(folder, 'server.sock')
  server = await startPoolServer({ serverArguments: [`--socket=${socketPath}`], sharedFolder: folder })
  const { user, database } = server.account
  const password = encodeURIComponent(await server.account.password())
  const config = parseConfig({ DATABASE_URL: `mysql://${user}:${password}@localhost/${database}?socket=${socketPath}` })
  assert.equal(config.database.kind, 'configured')
  dialect = resilientMysqlDialect({ connection: config.database.connection, pool: { size: 2, acquireTimeoutMs: 500 } })
  db = new Kysely({ dialect })
})
afterAll(async () => {
  await dialect.close({ deadlineMs: 500 })
  await server.dispose()
  await rm(folder, { recursive: true, force: true })
})

/** Marked: the session that it finds may be one that was killed, which neither side has noticed yet. */
const read = () => db.executeQuery(asRead(sql`SELECT 1`.compile(db)))

test('serves over a Unix socket, and again after its sessions were killed', async () => {
  await read()
  const hosts = (await listSessions(server, server.account.user)).map(({ host }) => host)
  assert.ok(hosts.length > 0)
  // The server's word for a socket: a name, and no port.
  assert.deepEqual(new Set(hosts), new Set(['localhost']))
  assert.ok((await killSessions(server, server.account.user)) > 0)
  await read()
})

test('serves again after the server was restarted', async () => {
  await server.stop()
  const failed = await durationOf(assert.rejects(sql`SELECT 2`.execute(db)))
  assert.ok(failed < 1_500)
  await server.start()
  await until(
    () =>
      read().then(
        () => true,
        () => false,
      ),
    5_000,
  )
  await read()
  assert.equal((await dialect.check()).isAnswering, true)
})
