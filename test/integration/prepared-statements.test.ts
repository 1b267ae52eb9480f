import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { type CompiledQuery, Kysely, sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import { createDatabase } from '../../db/database.ts'
import { resilientMysqlDialect } from '../../db/dialect.ts'
import { migrateToLatest } from '../../db/migrator.ts'
import { MAX_PREPARED_STATEMENTS } from '../../db/pool/prepared-statements.ts'
import { listCities } from '../../db/queries/cities.ts'
import { insertCity } from '../../db/queries/city-writes.ts'
import { claimKey, storeAnswer } from '../../db/queries/idempotency-keys.ts'
import { strictSession } from '../../db/session-variables.ts'
import { asRead } from '../../db/statement-kind.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

interface Schema {
  sample: Record<string, unknown> & { id: number }
}

let schema: TestSchema
let admin: Kysely<Schema>
/** One connection, so that the second run of a text prepares it and the third executes it. */
let db: Kysely<Schema>

beforeAll(async () => {
  schema = await createTestSchema()
  admin = new Kysely<Schema>({
    dialect: resilientMysqlDialect({ connection: schema.migrator, session: strictSession }),
  })
  db = new Kysely<Schema>({
    dialect: resilientMysqlDialect({ connection: schema.app, pool: { size: 1 }, session: strictSession }),
  })
  await sql`CREATE TABLE sample (
    id BIGINT UNSIGNED PRIMARY KEY, small SMALLINT, big BIGINT, price DECIMAL(12, 4), share DOUBLE, name VARCHAR(50),
    note TEXT, bytes VARBINARY(20), day DATE, moment DATETIME(3), stamp TIMESTAMP NULL, flag BOOLEAN, span TIME, annual YEAR
  ) CHARACTER SET utf8mb4`.execute(admin)
})
afterAll(async () => {
  await db.destroy()
  await admin.destroy()
  await schema.drop()
})

const rows = [
  {
    id: 1,
    small: 5,
    big: 9_007_199_254_740_991,
    price: 0.1,
    share: 0.1,
    name: 'A Coruña (La Coruña)',
    note: 'it\'s \\ a "note" \u{1F600}',
    bytes: Buffer.from([0, 255, 39, 92]),
    day: '2024-02-29',
    moment: new Date('2006-02-15T04:45:25.123Z'),
    stamp: new Date('2006-02-15T04:45:25Z'),
    flag: true,
    span: '26:30:00',
    annual: 2006,
  },
  { id: 2, small: -5, big: 0, price: -1, share: 1e300, name: '', note: null, bytes: null, day: null, flag: false },
]

/** Runs the statement as text, then prepared, then executed again, and returns the three results. */
async function threeTimes<T>(query: CompiledQuery<T>): Promise<readonly (readonly T[])[]> {
  const results = []
  for (let count = 0; count < 3; count += 1) results.push((await db.executeQuery(query)).rows)
  return results
}

test('rows written and read by prepared statements are those of the text protocol, whatever their types', async () => {
  for (const row of rows) {
    for (let count = 0; count < 3; count += 1) {
      await db.deleteFrom('sample').where('id', '=', row.id).execute()
      await db.insertInto('sample').values(row).execute()
      const [text, prepared, executed] = await threeTimes(
        db.selectFrom('sample').selectAll().where('id', '=', row.id).compile(),
      )
      assert.equal(text?.length, 1)
      assert.deepEqual(prepared, text)
      assert.deepEqual(executed, text)
    }
  }
})

test('every kind of value finds the rows that it finds as text', async () => {
  const conditions = [
    ['id', 1],
    ['id', 1n],
    ['id', '1'],
    ['small', -5],
    ['small', 5],
    ['big', 9_007_199_254_740_991],
    ['price', 0.1],
    ['price', -1],
    ['share', 1e300],
    ['name', 'A Coruña (La Coruña)'],
    ['name', 'a coruna (la coruna)'],
    ['name', ''],
    ['bytes', Buffer.from([0, 255, 39, 92])],
    ['day', '2024-02-29'],
    ['moment', new Date('2006-02-15T04:45:25.123Z')],
    ['stamp', new Date('2006-02-15T04:45:25Z')],
    ['flag', true],
    ['span', '26:30:00'],
    ['annual', 2006],
    ['name', null],
  ] as const
  for (const [column, value] of conditions) {
    const [text, ...others] = await threeTimes(
      db.selectFrom('sample').select('id').where(column, '=', value).orderBy('id').compile(),
    )
    if (value !== null) assert.ok(text && text.length > 0, `${column} = ${value}`)
    for (const other of others) assert.deepEqual(other, text, `${column} = ${value}`)
  }
})

test('LIMIT takes integers and bigints prepared; what it refuses as text it refuses every time', async () => {
  const limited = (limit: number | bigint) =>
    db.selectFrom('sample').select('id').where('id', '>=', 0).orderBy('id').limit(limit).compile()
  for (const limit of [0, 1, 2, 1n]) {
    for (const found of await threeTimes(limited(limit))) assert.equal(found.length, Number(limit))
  }
  for (let count = 0; count < 3; count += 1) {
    for (const limit of [2.5, -1]) await assert.rejects(db.executeQuery(limited(limit)), { errno: 1064 })
  }
})

test('a statement sees the columns that DDL adds between two executions', async () => {
  const query = db.selectFrom('sample').selectAll().where('id', '=', 1).compile()
  await threeTimes(query)
  await sql`ALTER TABLE sample ADD COLUMN added INT NOT NULL DEFAULT 7`.execute(admin)
  const { rows: found } = await db.executeQuery(query)
  assert.equal(found[0]?.['added'], 7)
})

test('more statements than are kept prepared, and a reset of the session, change no answer', async () => {
  for (let number = 0; number < 2 * MAX_PREPARED_STATEMENTS; number += 1) {
    const query = db.selectFrom('sample').select(sql.lit(number).as('n')).where('id', '=', 1).compile()
    for (const found of await threeTimes(query)) assert.deepEqual(found, [{ n: number }])
  }
  const query = db.selectFrom('sample').select('id').where('id', '=', 2).compile()
  await threeTimes(query)
  await sql`SET @dirty = 1`.execute(db)
  for (const found of await threeTimes(query)) assert.deepEqual(found, [{ id: 2 }])
})

/** How many statements this session has executed prepared. */
async function executedBy(kysely: Kysely<never>): Promise<number> {
  const status = asRead(sql<{ Value: string }>`show session status like 'Com_stmt_execute'`.compile(kysely))
  return Number((await kysely.executeQuery(status)).rows[0]?.Value)
}

test('the lookups, lists and writes of the service are executed prepared, from their third run on', async () => {
  await migrateToLatest(schema.migrator, resolve(import.meta.dirname, '../../migrations'))
  const service = createDatabase({ connection: schema.app, pool: { size: 1 } })
  const { kysely, cities } = service
  const page = { sort: 'city', limit: 5, after: undefined } as const
  const keyed = (count: number) => ({ keyHash: String(count).padStart(64, '0'), requestHash: 'a'.repeat(64) })
  const uses = {
    byId: () => cities.byId(1),
    byName: () => cities.idByName('London'),
    together: () => Promise.all(['London', 'Lima', 'Paris'].map((name) => cities.idByName(name))),
    list: () => listCities(kysely, { filter: { namePrefix: 'Lo', countryId: 50 }, page, includeCountry: true }),
    insert: (count: number) =>
      kysely.transaction().execute(async (trx) => {
        await claimKey(trx, keyed(count))
        await insertCity(trx, { city: `City ${count}`, countryId: 50 })
        await storeAnswer(trx, keyed(count), '{}')
      }),
  }
  for (const [name, use] of Object.entries(uses)) {
    await use(0)
    await use(1)
    const before = await executedBy(kysely as unknown as Kysely<never>)
    await use(2)
    const executed = (await executedBy(kysely as unknown as Kysely<never>)) - before
    assert.equal(executed, name === 'insert' ? 4 : 1, name)
  }
  await service.close({ deadlineMs: 1000 })
})
