import assert from 'node:assert/strict'
import { Kysely } from 'kysely'
import { afterAll, beforeAll, inject, test } from 'vitest'
import { resilientMysqlDialect } from '../../db/dialect.ts'
import { StatementLostError } from '../../db/errors.ts'
import { until } from '../support/fault-site.ts'
import { type GaleraCluster, type GaleraNode, startGaleraCluster } from '../support/galera-cluster.ts'
import type { NoteSchema } from '../support/pool-site.ts'
import { queryAsAdmin } from '../support/server-faults.ts'
import { createSchemaOn, type TestSchema } from '../support/test-database.ts'
import { createTestApp, type TestApp } from './http-fixture.ts'
import '../support/provided-context.ts'

/** `npm run galera` sends 1,024. */
const KEYS = Number(process.env['GALERA_KEYS'] ?? 96)
/** Each pair of services gets so few that most statements are prepared on the way. */
const KEYS_PER_PAIR = 8

let cluster: GaleraCluster | undefined
let schema: TestSchema
let here: GaleraNode
let there: GaleraNode
let whyNot = 'Galera is of MariaDB: it was not tried with this server'

beforeAll(async () => {
  if (inject('serverKind').name !== 'local') return
  cluster = await startGaleraCluster().catch((error: Error) => {
    whyNot = error.message
    return undefined
  })
  const [first, second] = cluster?.nodes ?? []
  if (!first || !second) return
  here = first
  there = second
  const [row] = await queryAsAdmin(here, 'SELECT version() AS version')
  schema = { flavour: 'mariadb', version: String(row?.['version']), ...(await createSchemaOn(here.login)) }
  await queryAsAdmin(
    here,
    `CREATE TABLE ${schema.app.database}.note (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100) NOT NULL UNIQUE)`,
  )
})
afterAll(() => cluster?.dispose())

async function rowsOf(text: string): Promise<number> {
  const [row] = await queryAsAdmin(
    here,
    `SELECT COUNT(*) AS n FROM ${schema.app.database}.note WHERE text LIKE '${text}%'`,
  )
  return Number(row?.['n'])
}

async function aborts(): Promise<number> {
  const [row] = await queryAsAdmin(here, "SHOW STATUS LIKE 'wsrep_local_bf_aborts'")
  return Number(row?.['Value'])
}

test('an abort that PREPARE tells of ends the transaction, and nothing of it runs', async (context) => {
  if (!cluster) return context.skip(whyNot)
  const db = new Kysely<NoteSchema>({
    dialect: resilientMysqlDialect({ connection: schema.app, pool: { size: 1 } }),
  })
  const insert = (text: string) => ({ text })
  try {
    for (const arePreparedBefore of [0, 1, 2, 3]) {
      const text = `aborted ${arePreparedBefore}`
      const change = (trx: Kysely<NoteSchema>, to: string) =>
        trx
          .updateTable('note')
          .set({ text: to })
          .where('text', 'in', [text, ...Array(arePreparedBefore).fill('')])
          .execute()
      // The first time it goes as text, the second time it is prepared, the third time executed.
      for (let run = 0; run < arePreparedBefore; run += 1) await change(db, `${text} before`)
      const before = await aborts()
      const aborted = db.transaction().execute(async (trx) => {
        await trx.insertInto('note').values(insert(text)).execute()
        await queryAsAdmin(there, `INSERT INTO ${schema.app.database}.note (text) VALUES ('${text}')`)
        assert.ok((await until(async () => (await aborts()) > before, 5_000)) < 5_000, 'it is aborted')
        await change(trx, `${text} changed`)
        await trx
          .insertInto('note')
          .values(insert(`${text} more`))
          .execute()
      })
      await assert.rejects(aborted, (error) => error instanceof StatementLostError && error.outcome === 'rolledBack')
      assert.equal(await rowsOf(text), 1) // the other node's
      assert.equal(await rowsOf(`${text} `), 0)
    }
  } finally {
    await db.destroy()
  }
})

test(`${KEYS} keys, each sent to two nodes at once: each write is done once, and both answers are the same`, async (context) => {
  if (!cluster) return context.skip(whyNot)
  const kept = { ...schema, drop: async () => {} }
  await (await createTestApp(kept)).close()
  const wrong: string[] = []
  for (let from = 0; from < KEYS; from += KEYS_PER_PAIR) {
    const pair = await Promise.all(
      [here, there].map(({ admin: { host, port } }) => createTestApp(kept, { address: { host, port } })),
    )
    try {
      const numbers = Array.from({ length: Math.min(KEYS_PER_PAIR, KEYS - from) }, (_, index) => from + index)
      await Promise.all(
        numbers.map(async (number) => {
          const answers = await Promise.all(pair.map((service) => post(service, number)))
          const [first, second] = answers
          if (first !== second || !first?.startsWith('201')) wrong.push(`${number}: ${answers.join(' and ')}`)
        }),
      )
    } finally {
      await Promise.all(pair.map((service) => service.close()))
    }
  }
  assert.deepEqual(wrong, [])
  const [{ rows, cities } = { rows: 0, cities: 0 }] = await queryAsAdmin(
    here,
    `SELECT COUNT(*) AS \`rows\`, COUNT(DISTINCT city) AS cities FROM ${schema.app.database}.city WHERE city LIKE 'Galera %'`,
  )
  assert.deepEqual([rows, cities], [KEYS, KEYS])
}, 600_000)

/** Sent again, as a client does, as long as it is told that the outcome is open or that the same write is under way. */
async function post({ app, token }: TestApp, number: number): Promise<string> {
  for (;;) {
    const response = await app.request('/cities', {
      method: 'POST',
      body: JSON.stringify({ city: `Galera ${number}`, countryId: 1 }),
      headers: {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        'Idempotency-Key': `galera-${number}`,
      },
    })
    const answer = `${response.status} ${await response.text()}`
    if (response.status !== 409 && response.status !== 503) return answer
  }
}
