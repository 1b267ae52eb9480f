import assert from 'node:assert/strict'
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type Transaction,
} from 'kysely'
import { test } from 'vitest'
import { countCities, listCities } from '../../db/queries/cities.ts'
import { deleteCity, insertCity, updateCity } from '../../db/queries/city-writes.ts'
import { countCountries, findCountry, listCountries } from '../../db/queries/countries.ts'
import { claimKey, removeExpiredKeys, storeAnswer } from '../../db/queries/idempotency-keys.ts'
import type { DB } from '../../db/schema.ts'
import { type StatementKind, statementKind } from '../../db/statement-kind.ts'

/** A database that answers everything with `rows`, and remembers what it was asked. */
function createListener(rows: readonly object[]) {
  const kinds: StatementKind[] = []
  class Driver extends DummyDriver {
    override async acquireConnection() {
      return {
        executeQuery: async (query: CompiledQuery) => {
          kinds.push(statementKind(query))
          return { rows: rows as never[], insertId: 1n, numAffectedRows: 1n }
        },
        streamQuery: () => Promise.reject(new Error('no streams')) as never,
      }
    }
  }
  const db = new Kysely<DB>({
    dialect: {
      createAdapter: () => new MysqlAdapter(),
      createDriver: () => new Driver(),
      createIntrospector: (kysely) => new MysqlIntrospector(kysely),
      createQueryCompiler: () => new MysqlQueryCompiler(),
    },
  })
  return { kinds, db, trx: db as Transaction<DB> }
}

const key = { keyHash: 'a', requestHash: 'b' }

test("the service's lists, counts and look-ups are reads", async () => {
  const { kinds, db } = createListener([{ count: 1 }])
  const after = { value: 'A', id: 1 }
  const filter = { name: 'A', namePrefix: 'A', countryId: 1 }
  for (const sort of ['cityId', '-city', 'lastUpdate'] as const) {
    await listCities(db, { filter, page: { sort, limit: 2, after }, includeCountry: true })
  }
  await listCities(db, { filter: {}, page: { sort: 'city', limit: 2 }, includeCountry: false })
  await countCities(db, filter)
  await listCountries(db, { filter, page: { sort: '-country', limit: 2, after } })
  await countCountries(db, filter)
  await findCountry(db, 1)
  assert.deepEqual(kinds, Array(kinds.length).fill('read'))
  assert.equal(kinds.length, 8)
})

test("the service's writes change nothing of the session, so none of them costs a reset", async () => {
  const { kinds, db, trx } = createListener([{ isOld: 1, key_hash: 'a' }])
  const target = { cityId: 1, stateHashes: ['a'] }
  await insertCity(trx, { city: 'A', countryId: 1 })
  await updateCity(trx, target, { city: 'B', countryId: 2 })
  await deleteCity(trx, target)
  await claimKey(trx, key)
  await storeAnswer(trx, key, '{}')
  await removeExpiredKeys(db, 10)
  assert.ok(kinds.length >= 8)
  assert.ok(!kinds.includes('other'), kinds.join())
})

test('a key that is there is read with a lock, and an expired one taken over', async () => {
  const { kinds, trx } = createListener([{ isOld: 1 }])
  let isFirst = true
  const executeQuery = trx.executeQuery.bind(trx)
  trx.executeQuery = async (query) => {
    if (!isFirst) return await executeQuery(query)
    isFirst = false
    throw Object.assign(new Error('taken'), { errno: 1062 })
  }
  await claimKey(trx, key)
  assert.deepEqual(kinds, ['write', 'write'])
})
