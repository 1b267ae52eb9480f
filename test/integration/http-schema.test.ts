import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, test } from 'vitest'
import { createTestApp, type TestApp } from './http-fixture.ts'

let service: TestApp

beforeAll(async () => {
  service = await createTestApp()
})
afterAll(() => service.close())

async function asAdmin(...statements: readonly string[]): Promise<void> {
  const { host, port, user, password, database } = service.schema.admin
  const connection = await createConnection({ host, port, user, password: await password(), database })
  try {
    for (const statement of statements) await connection.query(statement)
    // Rights are read at login.
    const [rows] = await connection.query<RowDataPacket[]>(
      'select id from information_schema.processlist where user = ?',
      [service.schema.app.user],
    )
    for (const { id } of rows) await connection.query(`kill ${id}`).catch(() => {}) // it has ended by itself
  } finally {
    await connection.end()
  }
}

/** What `/readyz` says within 3 s that begins with `start`; the answer otherwise. */
async function readyz(start: string): Promise<{ readonly status: number; readonly line: string | undefined }> {
  const deadline = performance.now() + 3000
  for (;;) {
    const answer = await service.app.request('/readyz?verbose')
    const line = (await answer.text()).split('\n').find((each) => each.includes('schema'))
    if (line === start || performance.now() > deadline) return { status: answer.status, line }
    await sleep(100)
  }
}

const OK = '[+]schema ok'

const changes: Readonly<Record<string, { change: () => string[]; restore: () => string[]; says: string }>> = {
  'a table is dropped': {
    change: () => ['rename table city to city_gone'],
    restore: () => ['rename table city_gone to city'],
    says: 'there is no table city',
  },
  'the table of the idempotency keys is dropped': {
    change: () => ['rename table idempotency_key to key_gone'],
    restore: () => ['rename table key_gone to idempotency_key'],
    says: 'there is no table idempotency_key',
  },
  'a column is dropped': {
    change: () => ['alter table country rename column last_update to changed_at'],
    restore: () => ['alter table country rename column changed_at to last_update'],
    says: 'a column of country is missing',
  },
  'the table of the migrations is dropped': {
    change: () => ['rename table kysely_migration to migration_gone'],
    restore: () => ['rename table migration_gone to kysely_migration'],
    says: 'run `npm run migrate`',
  },
  'the last migration is taken back': {
    change: () => [
      'create table kept as select * from kysely_migration',
      'delete from kysely_migration order by name desc limit 1',
    ],
    restore: () => ['insert ignore into kysely_migration select * from kept', 'drop table kept'],
    says: 'run `npm run migrate`',
  },
  'a right on the table of the migrations is missing': {
    change: () => [`revoke select on ${schema()}.* from ${account()}`, ...onTables('grant select on', 'to')],
    restore: () => [...onTables('revoke select on', 'from'), `grant select on ${schema()}.* to ${account()}`],
    says: 'the database account may not SELECT from kysely_migration',
  },
  'a right on a column is missing': {
    change: () => [
      `revoke select on ${schema()}.* from ${account()}`,
      `grant select on ${schema()}.kysely_migration to ${account()}`,
      `grant select (city_id, city) on ${schema()}.city to ${account()}`,
    ],
    restore: () => [
      `revoke select on ${schema()}.kysely_migration from ${account()}`,
      `revoke select (city_id, city) on ${schema()}.city from ${account()}`,
      `grant select on ${schema()}.* to ${account()}`,
    ],
    says: 'the database account may not SELECT from city',
  },
}

const schema = () => service.schema.admin.database
const account = () => `'${service.schema.app.user}'@'%'`
const onTables = (verb: string, preposition: string) =>
  ['city', 'country', 'idempotency_key'].map((table) => `${verb} ${schema()}.${table} ${preposition} ${account()}`)

for (const [name, { change, restore, says }] of Object.entries(changes)) {
  test(`${name} under the service: readyz says so, and recovers by itself`, async () => {
    assert.deepEqual(await readyz(OK), { status: 200, line: OK })
    try {
      await asAdmin(...change())
      const line = `[-]schema failed: ${says}`
      assert.deepEqual(await readyz(line), { status: 503, line })
    } finally {
      await asAdmin(...restore())
    }
    assert.deepEqual(await readyz(OK), { status: 200, line: OK })
    assert.equal((await service.app.request('/cities/312')).status, 200)
  })
}

test('the rights that the README names are enough to read, to write and to be ready', async () => {
  const rights = {
    'SELECT, INSERT, UPDATE, DELETE': ['city', 'idempotency_key'],
    SELECT: ['country', 'kysely_migration'],
  }
  const each = (verb: string, preposition: string) =>
    Object.entries(rights).flatMap(([right, tables]) =>
      tables.map((table) => `${verb} ${right} on ${schema()}.${table} ${preposition} ${account()}`),
    )
  const all = (verb: string, preposition: string) =>
    `${verb} select, insert, update, delete on ${schema()}.* ${preposition} ${account()}`
  const write = async (method: string, path: string, city?: string) => {
    const headers = { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json' }
    const body = city === undefined ? {} : { body: JSON.stringify({ city, countryId: 102 }) }
    return await service.app.request(path, { method, headers, ...body })
  }
  try {
    await asAdmin(all('revoke', 'from'), ...each('grant', 'to'))
    assert.deepEqual(await readyz(OK), { status: 200, line: OK })
    const created = await write('POST', '/cities', 'Atlantis')
    assert.equal(created.status, 201)
    const path = created.headers.get('Location') ?? ''
    assert.equal((await write('PATCH', path, 'Lyonesse')).status, 200)
    assert.equal((await write('DELETE', path)).status, 204)
    assert.equal((await write('POST', '/cities', 'London')).status, 201)
    assert.equal((await service.app.request('/cities?include=country&count=exact')).status, 200)
  } finally {
    await asAdmin(...each('revoke', 'from'), all('grant', 'to'))
  }
})
