import assert from 'node:assert/strict'
import { sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import { type City, listCities } from '../../db/index.ts'
import { cityEtag } from '../../src/etag.ts'
import { createTestApp, type TestApp } from './http-fixture.ts'

let service: TestApp

beforeAll(async () => {
  service = await createTestApp()
})
afterAll(() => service.close())

type Headers = Record<string, string>

async function send(method: string, path: string, body?: unknown, headers: Headers = {}): Promise<Response> {
  const all: Headers = { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json', ...headers }
  return await service.app.request(path, {
    method,
    headers: all,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

const patch = (path: string, body: unknown, headers?: Headers) => send('PATCH', path, body, headers)
const remove = (path: string, headers?: Headers) => send('DELETE', path, undefined, headers)

interface Made {
  readonly path: string
  readonly etag: string
}

async function make(city: string): Promise<Made> {
  const answer = await send('POST', '/cities', { city, countryId: 1 })
  assert.equal(answer.status, 201)
  return { path: answer.headers.get('Location') ?? '', etag: answer.headers.get('ETag') ?? '' }
}

async function nameAt(path: string): Promise<string | undefined> {
  const answer = await service.app.request(path)
  return answer.status === 200 ? ((await answer.json()) as City).city : undefined
}

async function detailOf(answer: Response): Promise<string> {
  assert.equal(answer.headers.get('Content-Type'), 'application/problem+json')
  return ((await answer.json()) as { detail: string }).detail
}

test('a change is answered as the database has it, with the ETag that GET answers', async () => {
  const { path, etag } = await make('Before')
  const answer = await patch(path, { city: 'Zu\u0308rich', countryId: 91 })
  assert.equal(answer.status, 200)
  const { lastUpdate, ...city } = (await answer.json()) as Record<string, unknown>
  assert.deepEqual(city, { cityId: Number(path.split('/')[2]), city: 'Z\u00fcrich', countryId: 91 })
  assert.ok(Math.abs(Date.parse(String(lastUpdate)) - Date.now()) < 60_000)
  const now = await service.app.request(path)
  assert.deepEqual(await now.json(), { ...city, lastUpdate })
  assert.equal(now.headers.get('ETag'), answer.headers.get('ETag'))
  assert.notEqual(answer.headers.get('ETag'), etag)
})

test('a field that is not given stays, and one that is the same is no mistake', async () => {
  const { path, etag } = await make('Half')
  const answer = await patch(path, { countryId: 2 })
  assert.deepEqual([answer.status, await nameAt(path)], [200, 'Half'])
  const same = await make('Same')
  const unchanged = await patch(same.path, { city: 'Same' }, { 'If-Match': same.etag })
  assert.deepEqual([unchanged.status, unchanged.headers.get('ETag')], [200, same.etag])
  assert.notEqual(etag, answer.headers.get('ETag'))
})

test('a change without a field, or with a bad one, is 400 and names it', async () => {
  const { path } = await make('Kept')
  const errorsOf = async (body: unknown) => {
    const answer = await patch(path, body)
    assert.equal(answer.status, 400)
    return ((await answer.json()) as { errors: { pointer: string; detail: string }[] }).errors
  }
  assert.deepEqual(await errorsOf({}), [{ pointer: '', detail: 'must have a field that is to change' }])
  assert.deepEqual(await errorsOf({ cityId: 5, city: '' }), [
    { pointer: '/city', detail: 'must have 1 to 50 characters, and no control characters' },
    { pointer: '/cityId', detail: 'is not a field of this body' },
  ])
  assert.deepEqual(await errorsOf({ lastUpdate: '2020-01-01T00:00:00Z', countryId: 1 }), [
    { pointer: '/lastUpdate', detail: 'is not a field of this body' },
  ])
  assert.equal(await nameAt(path), 'Kept')
})

test('a country that does not exist is 422, named by its pointer, and nothing is changed', async () => {
  const { path } = await make('Stays')
  const answer = await patch(path, { city: 'Moved', countryId: 110 })
  assert.equal(answer.status, 422)
  const { errors } = (await answer.json()) as { errors: unknown }
  assert.deepEqual(errors, [{ pointer: '/countryId', detail: 'must be the id of a country' }])
  assert.equal(await nameAt(path), 'Stays')
})

test('a deleted city is gone; deleting it again, or changing it, is 404', async () => {
  const { path } = await make('Gone')
  const answer = await remove(path)
  assert.deepEqual([answer.status, await answer.text()], [204, ''])
  assert.equal(await nameAt(path), undefined)
  for (const again of [await remove(path), await patch(path, { city: 'x' }), await remove('/cities/9999999999')]) {
    assert.equal(again.status, 404)
    assert.equal(await detailOf(again), 'There is no such city.')
  }
})

test('without a token nothing is changed', async () => {
  const { path } = await make('Guarded')
  for (const answer of [
    await patch(path, { city: 'x' }, { Authorization: '' }),
    await remove(path, { Authorization: 'Bearer x' }),
  ]) {
    assert.equal(answer.status, 401)
  }
  assert.equal(await nameAt(path), 'Guarded')
})

test('If-Match lets a change through for its own tag, in a list too, and for any with *', async () => {
  for (const matching of [(tag: string) => tag, (tag: string) => `"x", ${tag}`, () => '*']) {
    const { path, etag } = await make('Matched')
    assert.equal((await patch(path, { city: 'Changed' }, { 'If-Match': matching(etag) })).status, 200)
    const { headers } = await service.app.request(path)
    assert.equal((await remove(path, { 'If-Match': matching(headers.get('ETag') ?? '') })).status, 204)
  }
})

test('If-Match with another tag, a weak one, the same in capitals or no tag at all is 412, and nothing is changed', async () => {
  const { path, etag } = await make('Unmatched')
  const others = [
    `"${'0'.repeat(64)}"`,
    `W/${etag}`,
    etag.toUpperCase(),
    etag.slice(1, -1),
    '""',
    '',
    '"\') or 1=1 -- "',
  ]
  for (const tag of others) {
    for (const answer of [
      await patch(path, { city: 'x' }, { 'If-Match': tag }),
      await remove(path, { 'If-Match': tag }),
    ]) {
      assert.equal(answer.status, 412, tag)
      assert.equal(await detailOf(answer), 'The city has another ETag.')
    }
  }
  assert.equal(await nameAt(path), 'Unmatched')
  for (const tag of ['*', etag]) assert.equal((await remove('/cities/65000', { 'If-Match': tag })).status, 404)
})

test('of many who change what they saw, one wins and the others are 412', async () => {
  const { path, etag } = await make('Raced')
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      n % 3 === 0 ? remove(path, { 'If-Match': etag }) : patch(path, { city: `Winner ${n}` }, { 'If-Match': etag }),
    ),
  )
  const won = answers.filter(({ status }) => status === 200 || status === 204)
  assert.equal(won.length, 1, answers.map(({ status }) => status).join())
  assert.ok(answers.every(({ status }) => [200, 204, 404, 412].includes(status)))
  const [winner] = won
  if (winner?.status === 200) assert.equal(await nameAt(path), ((await winner.json()) as City).city)
  else assert.equal(await nameAt(path), undefined)
})

test("every city's ETag is what its server computes", async () => {
  const { kysely } = service.database
  await patch('/cities/1', { city: '😀 “\\\'"|é' })
  const { rows } = await sql<{ id: number; hash: string }>`
    select city_id as id, sha2(concat_ws('|', city_id, country_id, unix_timestamp(last_update), city), 256) as hash
    from city where city_id <= 600
  `.execute(kysely)
  const hashes = new Map(rows.map(({ id, hash }) => [id, `"${hash}"`]))
  let after: { value: number; id: number } | undefined
  let compared = 0
  do {
    const page = await listCities(kysely, {
      filter: {},
      page: { sort: 'cityId', limit: 100, after },
      includeCountry: false,
    })
    for (const city of page.items.filter(({ cityId }) => cityId <= 600)) {
      assert.equal(hashes.get(city.cityId), cityEtag(city), city.city)
      compared += 1
    }
    const last = page.items.at(-1)
    after = last && { value: last.cityId, id: last.cityId }
  } while (compared < 600 && after)
  assert.equal(compared, 600)
})
