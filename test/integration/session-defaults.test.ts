import assert from 'node:assert/strict'
import { Kysely, sql } from 'kysely'
import { createConnection, type Connection as Mysql2Connection, type RowDataPacket } from 'mysql2/promise'
import { afterAll, beforeAll, test } from 'vitest'
import { resilientMysqlDialect } from '../../db/dialect.ts'
import {
  type SessionOptions,
  type SessionValue,
  type SessionVariable,
  sessionVariables,
  strictSession,
} from '../../db/session-variables.ts'
import { asRead } from '../../db/statement-kind.ts'
import { type OwnServer, startOwnServer } from '../support/own-server.ts'
import { createSchemaOn, type TestSchema } from '../support/test-database.ts'
import { leftToTheServer, otherWay, type TurnedName } from '../support/turned-variables.ts'
import { createTestApp } from './http-fixture.ts'

let server: OwnServer
let schema: Omit<TestSchema, 'flavour' | 'version'>
let root: Mysql2Connection
/** Of the list, what this server has. */
let names: readonly TurnedName[]

beforeAll(async () => {
  server = await startOwnServer()
  schema = await createSchemaOn(server.login)
  root = await createConnection({ ...server.login, multipleStatements: true })
  const present = new Set(await variablesOf(root))
  names = (Object.keys(otherWay) as TurnedName[]).filter((name) => present.has(name) && isChosen(name))
})
afterAll(async () => {
  await root?.end()
  await schema?.drop()
  await server?.dispose()
})

/** Whether a session of this version is told. */
function isChosen(name: TurnedName): boolean {
  const variables: Readonly<Record<string, SessionVariable>> = sessionVariables
  const first = variables[name]?.since?.[server.flavour] ?? 0
  const [major = 0, minor = 0, patch = 0] = server.version.split(/[.-]/).map(Number)
  return first !== 'none' && first <= major * 10_000 + minor * 100 + patch
}

async function variablesOf(connection: Mysql2Connection): Promise<string[]> {
  const [rows] = await connection.query<(RowDataPacket & { Variable_name: string })[]>('show session variables')
  return rows.map((row) => row.Variable_name.toLowerCase())
}

/** As the application: one connection, so that what is set stays. */
async function withSession<T>(
  session: SessionOptions | undefined,
  task: (db: Kysely<unknown>) => Promise<T>,
): Promise<T> {
  const db = new Kysely<unknown>({
    dialect: resilientMysqlDialect({ connection: schema.app, pool: { size: 1 }, session }),
  })
  try {
    return await task(db)
  } finally {
    await db.destroy()
  }
}

/** What the session has, without leaving a trace in it. */
async function readValues(db: Kysely<unknown>): Promise<Record<string, unknown>> {
  const columns = sql.join(names.map((name) => sql`${sql.raw(`@@session.${name}`)} as ${sql.ref(name)}`))
  const values = (await db.executeQuery(asRead(sql<Record<string, unknown>>`select ${columns} limit 1`.compile(db))))
    .rows[0]
  assert.ok(values)
  // The clock itself, unless it stands still.
  return { ...values, timestamp: Number(values['timestamp']) > 1_500_000_000 }
}

/** Fresh from login, and after the pool has reset it. */
async function readSession(): Promise<readonly Record<string, unknown>[]> {
  return await withSession(strictSession, async (db) => {
    const fresh = await readValues(db)
    await sql`set @dirty = 1`.execute(db)
    return [fresh, await readValues(db)]
  })
}

/** Sets them for all sessions that begin from now on; the answer takes it back. */
async function turn(turned: readonly TurnedName[], way: 'global' | 'init_connect'): Promise<() => Promise<void>> {
  if (way === 'init_connect') {
    await root.query('set global init_connect = ?', [
      turned.map((name) => `set ${name} = ${otherWay[name]}`).join('; '),
    ])
    return async () => void (await root.query("set global init_connect = ''"))
  }
  for (const name of turned) await root.query(`set global ${name} = ${otherWay[name]}`)
  return async () => {
    for (const name of turned) await root.query(`set global ${name} = DEFAULT`)
  }
}

/** The others are of a session only. */
const hasGlobal = (name: string) => !['timestamp', 'tcp_nodelay', 'use_secondary_engine'].includes(name)

test('each variable that an ordinary user may set is decided about: chosen, or left with a reason', async () => {
  const decided = new Set([...Object.keys(otherWay), ...Object.values(leftToTheServer).flat()])
  const { password, ...login } = schema.app
  const connection = await createConnection({ ...login, password: await password() })
  const undecided = []
  for (const name of await variablesOf(connection)) {
    const error: { errno?: number } | undefined = await connection
      .query(`set session ${name} = @@session.${name}`)
      .then(
        () => undefined,
        (cause) => cause,
      )
    const mayBeSet = error === undefined || error.errno === 1231 || error.errno === 1232 // a wrong value is no denial
    if (mayBeSet && !decided.has(name)) undecided.push(name)
  }
  await connection.end()
  assert.deepEqual(undecided, [])
})

test('a session has each variable as it was chosen, whichever default is turned the other way, after a reset too', async () => {
  const [expected] = await readSession()
  for (const name of names) {
    for (const way of ['global', 'init_connect'] as const) {
      if (way === 'global' && !hasGlobal(name)) continue
      const turnBack = await turn([name], way)
      try {
        for (const found of await readSession()) assert.deepEqual(found, expected, `${name}, ${way}`)
      } finally {
        await turnBack()
      }
    }
  }
})

test('and with all of them turned at once', async () => {
  const [expected] = await readSession()
  for (const way of ['global', 'init_connect'] as const) {
    const turnBack = await turn(
      names.filter((name) => way === 'init_connect' || hasGlobal(name)),
      way,
    )
    try {
      for (const found of await readSession()) assert.deepEqual(found, expected, way)
    } finally {
      await turnBack()
    }
  }
})

/** Servers say 1, ON and YES for one thing, and words of a set in their own order. */
function normalised(value: unknown): string {
  if (value === 'ON' || value === 'YES') return '1'
  return typeof value === 'string' ? value.split(',').toSorted().join() : String(Number(value))
}

test('the strict session has what the list says', async () => {
  const [found] = await readSession()
  for (const [name, { strict }] of Object.entries(sessionVariables)) {
    const value: SessionValue = typeof strict === 'object' ? strict[server.flavour] : strict
    if (names.some((each) => each === name) && name !== 'timestamp')
      assert.equal(normalised(found?.[name]), normalised(value), name)
  }
})

test('without options a session is as the server has it, and the same again after a reset', async () => {
  const turned: readonly TurnedName[] = [
    'time_zone',
    'lc_time_names',
    'sql_mode',
    'group_concat_max_len',
    'autocommit',
    'completion_type',
    'sql_select_limit',
  ]
  for (const way of ['global', 'init_connect'] as const) {
    const turnBack = await turn(turned, way)
    try {
      const [fresh, again] = await withSession(undefined, async (db) => {
        const first = await readValues(db)
        await sql`set @dirty = 1`.execute(db)
        return [first, await readValues(db)]
      })
      const { autocommit, completion_type, time_zone, lc_time_names, group_concat_max_len, sql_mode } = fresh ?? {}
      assert.deepEqual([autocommit, completion_type], [1, 'NO_CHAIN'])
      assert.deepEqual([time_zone, lc_time_names, Number(group_concat_max_len)], ['+05:30', 'de_DE', 4])
      assert.match(String(sql_mode), /ANSI_QUOTES.*IGNORE_SPACE|IGNORE_SPACE.*ANSI_QUOTES/)
      assert.deepEqual(again, fresh)
    } finally {
      await turnBack()
    }
  }
})

test('the service reads what is there, keeps what it acknowledges and refuses orphans, whatever the defaults', async () => {
  const turnBack = await turn(names, 'init_connect')
  const service = await createTestApp({ ...server, ...(await createSchemaOn(server.login)) })
  try {
    const nameOf = async (cityId: number) => (await (await service.app.request(`/cities/${cityId}`)).json()).city
    const post = (city: string, countryId: number) =>
      service.app.request('/cities', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${service.token}` },
        body: JSON.stringify({ city, countryId }),
      })
    const table = `${service.schema.app.database}.city`
    assert.equal(await nameOf(312), 'London')
    await root.query(`update ${table} set city = 'Londinium' where city_id = 312`)
    assert.equal(await nameOf(312), 'Londinium')
    assert.equal((await post('Kept', 1)).status, 201)
    const [kept] = await root.query<RowDataPacket[]>(`select city from ${table} where city = 'Kept'`)
    assert.equal(kept.length, 1)
    assert.equal((await post('Orphan', 999)).status, 422)
  } finally {
    await service.close()
    await turnBack()
  }
})
