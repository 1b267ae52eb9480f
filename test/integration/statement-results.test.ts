import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Compilable, Kysely, MysqlDialect, sql, type Transaction } from 'kysely'
import { createPool } from 'mysql2'
import { afterAll, beforeAll, test } from 'vitest'
import { resilientMysqlDialect } from '../../db/dialect.ts'
import { strictSession } from '../../db/session-variables.ts'
import { createSample, type SampleSchema, sampleColumns, sampleRuns, shapes } from '../support/statement-samples.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

const seed = Number(process.env['RESULTS_SEED'] ?? Date.now() % 2 ** 31)
/** Statements, each run up to twelve times; thousands are for a search: RESULTS_RUNS=20000. */
const numRuns = Number(process.env['RESULTS_RUNS'] ?? 1000)
/** As text, prepared, and then executed: with the same values, and once more after other ones. */
const RUNS = 3

let schema: TestSchema
let admin: Kysely<SampleSchema>
/** One connection each, so that what is prepared is executed. */
let ours: Kysely<SampleSchema>
let stock: Kysely<SampleSchema>

beforeAll(async () => {
  console.info(`[results] RESULTS_SEED=${seed}`)
  schema = await createTestSchema()
  admin = new Kysely({ dialect: resilientMysqlDialect({ connection: schema.migrator, session: strictSession }) })
  ours = new Kysely({
    dialect: resilientMysqlDialect({ connection: schema.app, pool: { size: 1 }, session: strictSession }),
  })
  stock = await createStock()
  await createSample(admin, schema.flavour)
})
afterAll(async () => {
  await Promise.all([ours.destroy(), stock.destroy(), admin.destroy()])
  await schema.drop()
})

/** Stock Kysely and mysql2 over a session with the same variables. */
async function createStock(): Promise<Kysely<SampleSchema>> {
  const { password, ...connection } = schema.app
  const pool = createPool({
    ...connection,
    password: await password(),
    connectionLimit: 1,
    charset: 'utf8mb4',
    timezone: 'Z',
  })
  const kysely = new Kysely<SampleSchema>({ dialect: new MysqlDialect({ pool }) })
  const names = ['time_zone', 'sql_mode', 'collation_connection']
  const { rows } = await sql<
    Record<string, string>
  >`select ${sql.raw(names.map((name) => `@@${name} as ${name}`).join())}`.execute(ours)
  for (const [name, value] of Object.entries(rows[0] ?? {})) await sql`set ${sql.raw(name)} = ${value}`.execute(kysely)
  return kysely
}

class Undo extends Error {}

/** What a caller gets: rows, counts and, for a write, the table after it; or the server's error, by its number. */
async function outcomeOf(db: Kysely<SampleSchema>, { statement, kind, isInTransaction }: Run): Promise<unknown> {
  let outcome: unknown
  const task = async (executor: Kysely<SampleSchema> | Transaction<SampleSchema>) => {
    outcome = withoutUndefined(await executor.executeQuery(statement(executor).compile()))
    // Read as text on both sides.
    if (kind === 'write') outcome = [outcome, (await sql`select * from sample order by id`.execute(executor)).rows]
  }
  try {
    if (!isInTransaction) await task(db)
    else {
      await db.transaction().execute(async (trx) => {
        await task(trx)
        throw new Undo()
      })
    }
  } catch (error) {
    if (!(error instanceof Undo)) return { errno: (error as { errno?: number }).errno ?? String(error) }
  }
  return outcome
}

/** Stock names an `insertId` that is not there, ours does not. */
function withoutUndefined(result: object): object {
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined))
}

interface Run {
  readonly statement: (db: Kysely<SampleSchema>) => Compilable
  readonly kind: 'read' | 'write'
  readonly isInTransaction: boolean
}

/** Runs it on both sides as often as it takes to be executed, and compares each time. */
async function assertSame(run: Run): Promise<void> {
  for (let count = 0; count < RUNS; count += 1)
    assert.deepEqual(await outcomeOf(ours, run), await outcomeOf(stock, run))
}

test('every type of column is read, compared and written alike, each run', async () => {
  for (const [column, { values }] of Object.entries(sampleColumns(schema.flavour))) {
    for (const shape of ['one', 'least', 'equal', 'in', 'set', 'raised', 'inserted'] as const) {
      const { kind, build } = shapes[shape]
      for (const pair of [[6, 0], values] as const) {
        await assertSame({ statement: (db) => build(db, column, pair), kind, isInTransaction: kind === 'write' })
      }
    }
  }
})

test(
  'each run of a statement gives what stock Kysely and mysql2 give, text or prepared, whatever ran before',
  async () => {
    await fc.assert(
      fc.asyncProperty(sampleRuns(schema.flavour), async ({ shape, column, values, isInTransaction }) => {
        const { kind, build } = shapes[shape]
        for (let count = 0; count < RUNS; count += 1) {
          for (const pair of values) {
            const run: Run = {
              statement: (db) => build(db, column, pair),
              kind,
              isInTransaction: isInTransaction || kind === 'write',
            }
            assert.deepEqual(await outcomeOf(ours, run), await outcomeOf(stock, run))
          }
        }
      }),
      { seed, numRuns },
    )
  },
  Math.max(60_000, numRuns * 200),
)

test('integers beyond 2^53 are exact where that is chosen, in both protocols, and as parameters and new ids anyway', async () => {
  const id = 9_007_199_254_740_995n
  await sql`create table big (id bigint unsigned primary key auto_increment, doc json)`.execute(admin)
  await sql`alter table big auto_increment = ${sql.lit(id)}`.execute(admin)
  const exact = new Kysely<{ big: { id: bigint | number | string; doc: string } }>({
    dialect: resilientMysqlDialect({ connection: schema.app, pool: { size: 1 }, areIntegersExact: true }),
  })
  const { insertId } = await exact
    .insertInto('big')
    .values({ doc: '{"n": 9007199254740995}' } as never)
    .executeTakeFirstOrThrow()
  assert.equal(insertId, id)
  await exact.insertInto('big').values({ id: 5, doc: '5' }).execute()
  for (let count = 0; count < RUNS; count += 1) {
    for (const value of [id, String(id)]) {
      const found = await exact.selectFrom('big').select('id').where('id', '=', value).execute()
      assert.deepEqual(found, [{ id: '9007199254740995' }])
    }
    assert.deepEqual(await exact.selectFrom('big').select('id').where('id', '<', 6).execute(), [{ id: 5 }])
    const [row] = await exact.selectFrom('big').select('doc').where('id', '=', id).execute()
    assert.deepEqual(row, { doc: { n: '9007199254740995' } })
  }
  const { numDeletedRows } = await exact.deleteFrom('big').where('id', '=', id).executeTakeFirstOrThrow()
  assert.equal(numDeletedRows, 1n)
  await exact.destroy()
})
