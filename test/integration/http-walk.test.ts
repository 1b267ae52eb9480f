import assert from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import { createTestApp, type TestApp } from './http-fixture.ts'

let service: TestApp

beforeAll(async () => {
  service = await createTestApp()
})
afterAll(() => service.close())

/** Follows `Link: rel="next"` to the end and returns the ids in the order they came. */
async function walk(start: string, betweenPages = async () => {}): Promise<number[]> {
  const ids: number[] = []
  for (let path: string | undefined = start; path; ) {
    const answer: Response = await service.app.request(path)
    assert.equal(answer.status, 200)
    const { items, next } = (await answer.json()) as { items: Record<string, number>[]; next: string | null }
    for (const { cityId, countryId } of items) ids.push(cityId ?? countryId ?? 0)
    path = /^<(.+)>; rel="next"$/.exec(answer.headers.get('Link') ?? '')?.[1]
    assert.equal(path === undefined, next === null)
    await betweenPages()
  }
  return ids
}

/** The ids of Sakila's own cities in the database's order. */
async function sortedIds(column: 'city' | 'city_id' | 'last_update', direction: 'asc' | 'desc'): Promise<number[]> {
  const rows = await service.database.kysely
    .selectFrom('city')
    .select('city_id')
    .where('city_id', '<=', 600)
    .orderBy(column, direction)
    .orderBy('city_id', direction)
    .execute()
  return rows.map((row) => row.city_id)
}

test('a walk by name visits each of the 600 cities exactly once, in order', async () => {
  const ids = await walk('/cities?limit=7&sort=city')
  assert.equal(ids.length, 600)
  assert.deepEqual(ids, await sortedIds('city', 'asc'))
})

test('so do the other sorts, ties in the sort column included', async () => {
  assert.deepEqual(await walk('/cities?limit=7&sort=-city'), await sortedIds('city', 'desc'))
  assert.deepEqual(await walk('/cities?limit=100&sort=cityId'), await sortedIds('city_id', 'asc'))
  assert.deepEqual(await walk('/cities?limit=100&sort=-cityId'), await sortedIds('city_id', 'desc'))
  // All 600 have the same time.
  assert.deepEqual(await walk('/cities?limit=7&sort=lastUpdate'), await sortedIds('last_update', 'asc'))
  assert.deepEqual(await walk('/cities?limit=7&sort=-lastUpdate'), await sortedIds('last_update', 'desc'))
  assert.equal(new Set(await walk('/countries?limit=7&sort=-country')).size, 109)
  assert.deepEqual((await walk('/countries/44/cities?limit=7&sort=city')).length, 60)
})

test('a walk sees each city that stays exactly once while others come and go', async () => {
  const { kysely } = service.database
  let round = 0
  // Names all over the alphabet, some equal to those of cities that stay.
  const names = ['Aaaa', 'London', 'Mmmm', 'london', 'Zzzz', 'A Coruña (La Coruña)', '´s-Hertogenbosch', 'Ōmiya']
  const churn = async () => {
    round += 1
    if (round % 2 === 0) await kysely.deleteFrom('city').where('city_id', '>', 600).execute()
    await kysely
      .insertInto('city')
      .values(names.map((city) => ({ city, country_id: 1 })))
      .execute()
  }
  for (const [sort, expected] of [
    ['city', await sortedIds('city', 'asc')],
    ['-city', await sortedIds('city', 'desc')],
    // Not the other way round: what is new comes last there, and a walk would follow it for ever.
    ['-lastUpdate', await sortedIds('last_update', 'desc')],
  ] as const) {
    const ids = await walk(`/cities?limit=7&sort=${sort}`, churn)
    assert.deepEqual(
      ids.filter((id) => id <= 600),
      expected,
      sort,
    )
    assert.equal(new Set(ids).size, ids.length)
  }
  assert.ok(round > 200)
})
