import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import { createDatabase, type Database } from '../../db/index.ts'
import { findCityId } from '../support/plain-kysely.ts'
import { createTestApp, type TestApp } from './http-fixture.ts'

let service: TestApp
/** The same schema, every lookup a statement of its own. */
let single: Database
let names: readonly string[]

beforeAll(async () => {
  service = await createTestApp()
  single = createDatabase({ connection: service.schema.app, pool: { size: 4 }, maxLookupBatch: 1 })
  names = (await single.kysely.selectFrom('city').select('city').execute()).map(({ city }) => city)
})
afterAll(async () => {
  await single.close({ deadlineMs: 1000 })
  await service.close()
})

/** As one would write it. */
const askPlainly = (name: string) => findCityId(single.kysely, name)

/** Names that are there, nearly there, and not at all. */
function anyName() {
  const known = fc.nat(599).map((index) => names[index] ?? '')
  const nearly = fc
    .tuple(
      known,
      fc.constantFrom(
        (name: string) => name.toUpperCase(),
        (name: string) => name.toLowerCase(),
        (name: string) => name.normalize('NFD'),
        (name: string) => name.normalize('NFD').replace(/\p{M}/gu, ''),
        (name: string) => `${name} `,
        (name: string) => ` ${name}`,
        (name: string) => `${name}\u200b`,
        (name: string) => name.slice(1),
        (name: string) => name.repeat(30),
      ),
    )
    .map(([name, change]) => change(name))
  return fc.oneof(known, nearly, fc.string({ unit: 'binary', maxLength: 60 }), fc.constant('London'), fc.constant(''))
}

test('lookups that share a statement answer what each would be answered alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyName(), { minLength: 1, maxLength: 70 }), async (asked) => {
      const [together, alone, plainly] = await Promise.all([
        Promise.all(asked.map((name) => service.database.cities.idByName(name))),
        Promise.all(asked.map((name) => single.cities.idByName(name))),
        Promise.all(asked.map(askPlainly)),
      ])
      assert.deepEqual(together, plainly)
      assert.deepEqual(alone, plainly)
    }),
    { numRuns: 60 },
  )
})

test('so do lookups by id, with every column as a plain SELECT gives it', async () => {
  const ids = fc.array(
    fc.integer({ min: 0, max: 70_000 }).map((id) => (id > 1200 ? id : id % 620)),
    { maxLength: 70 },
  )
  await fc.assert(
    fc.asyncProperty(ids, async (asked) => {
      const together = await Promise.all(asked.map((id) => service.database.cities.byId(id)))
      const rows = await single.kysely
        .selectFrom('city')
        .selectAll()
        .where('city_id', 'in', [0, ...asked])
        .execute()
      const expected = asked.map((id) => {
        const row = rows.find(({ city_id }) => city_id === id)
        return row && { cityId: id, city: row.city, countryId: row.country_id, lastUpdate: row.last_update }
      })
      assert.deepEqual(together, expected)
    }),
    { numRuns: 30 },
  )
})

test('an answer is read after it was asked for, never kept', async () => {
  const { kysely, cities } = service.database
  const { country_id } = await kysely.selectFrom('city').select('country_id').executeTakeFirstOrThrow()
  for (let count = 0; count < 5; count += 1) {
    const { insertId } = await kysely
      .insertInto('city')
      .values({ city: 'Atlantis', country_id })
      .executeTakeFirstOrThrow()
    const id = Number(insertId)
    assert.deepEqual(await Promise.all([cities.idByName('Atlantis'), cities.idByName('Atlantis')]), [id, id])
    await kysely.deleteFrom('city').where('city_id', '=', id).execute()
    assert.deepEqual(await Promise.all([cities.idByName('Atlantis'), cities.byId(id)]), [undefined, undefined])
  }
})
