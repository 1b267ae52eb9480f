import assert from 'node:assert/strict'
import { hc } from 'hono/client'
import { sql } from 'kysely'
import { afterAll, beforeAll, test } from 'vitest'
import type { AppType } from '../../src/app.ts'
import { createTestApp, type TestApp } from './http-fixture.ts'

let service: TestApp

beforeAll(async () => {
  service = await createTestApp()
})
afterAll(() => service.close())

const get = (path: string, headers: Record<string, string> = {}) => service.app.request(path, { headers })

/** Status and body together, so that a wrong one is seen with the other. */
async function read(path: string) {
  const answer = await get(path)
  return { status: answer.status, body: await answer.json() }
}

/** A body that the test knows is a list. */
async function readList(path: string) {
  const { status, body } = await read(path)
  assert.equal(status, 200, JSON.stringify(body))
  return body as { items: Record<string, unknown>[]; next: string | null; count?: number }
}

async function readErrors(path: string) {
  const { status, body } = await read(path)
  assert.equal(status, 400, JSON.stringify(body))
  return (body as { errors: { parameter: string; detail: string }[] }).errors
}

const cityTime = '2006-02-15T04:45:25.000Z'
const london = { cityId: 312, city: 'London', countryId: 102, lastUpdate: cityTime }
const unitedKingdom = { countryId: 102, country: 'United Kingdom', lastUpdate: '2006-02-15T04:44:00.000Z' }

test('the seed route finds London, the one with the lowest id, and echoes the name as asked', async () => {
  const answer = await get('/?city=London')
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('Content-Type'), 'text/plain; charset=utf-8')
  assert.equal(await answer.text(), 'City "London" is #312')
  assert.equal(await (await get('/?city=london')).text(), 'City "london" is #312')
  assert.equal(
    await (await get('/?city=A%20Coru%C3%B1a%20(La%20Coru%C3%B1a)')).text(),
    'City "A Coruña (La Coruña)" is #1',
  )
  assert.equal(await (await get('/?city=A+Coruna+(La+Coruna)')).text(), 'City "A Coruna (La Coruna)" is #1')
})

test('the seed route says what it did not find, whatever the name', async () => {
  const answer = await get('/?city=Nowhere')
  assert.equal(answer.status, 404)
  assert.equal(answer.headers.get('Content-Type'), 'text/plain; charset=utf-8')
  assert.equal(await answer.text(), 'City "Nowhere" not found')
  for (const name of ['', '"', "' or 1=1 -- ", '\0', '%', '_', '\\', '😀', 'x'.repeat(8000), '{"a":1}', '<b>']) {
    const odd = await get(`/?city=${encodeURIComponent(name)}`)
    assert.equal(odd.status, 404, name)
    assert.equal(await odd.text(), `City "${name}" not found`)
  }
})

test("the column's collation decides what is equal: both ignore U+200B, MariaDB's trailing spaces too", async () => {
  const statusOf = async (name: string) => (await get(`/?city=${encodeURIComponent(name)}`)).status
  const found = { spaces: await statusOf('London  '), zeroWidth: await statusOf('Lon\u200bdon') }
  const expected = {
    mariadb: { spaces: 200, zeroWidth: 200 },
    mysql: { spaces: 404, zeroWidth: 200 },
  }
  assert.deepEqual(found, expected[service.schema.flavour])
})

test('without a city the seed route names the routes', async () => {
  const answer = await get('/')
  assert.equal(answer.status, 200)
  const text = await answer.text()
  for (const route of ['/cities/{cityId}', '/countries/{countryId}/cities', '/docs', '/readyz']) {
    assert.ok(text.includes(route), route)
  }
})

test('a list has 20 items unless told otherwise, by id', async () => {
  const { items, next } = await readList('/cities')
  assert.deepEqual(
    items.map(({ cityId }) => cityId),
    Array.from({ length: 20 }, (_, index) => index + 1),
  )
  assert.equal(typeof next, 'string')
  assert.deepEqual((await readList('/cities?limit=1&name=London')).items, [london])
})

test('limit goes from 1 to 100', async () => {
  assert.equal((await readList('/cities?limit=100')).items.length, 100)
  assert.equal((await readList('/cities?limit=1')).items.length, 1)
  for (const limit of ['0', '101', '-1', '1e9', '2.5', '', '%20', '01x', '٣', '99999999999999999999']) {
    assert.deepEqual(await readErrors(`/cities?limit=${limit}`), [
      { parameter: 'limit', detail: 'must be an integer from 1 to 100' },
    ])
  }
})

test('cities are found by name, by the start of it, and by country, all together', async () => {
  const namesOf = async (query: string) => (await readList(`/cities?sort=city&${query}`)).items.map(({ city }) => city)
  assert.deepEqual(await namesOf('name=london'), ['London', 'London'])
  assert.deepEqual(await namesOf('namePrefix=Lon'), ['London', 'London'])
  assert.deepEqual(await namesOf('namePrefix=lon&countryId=102'), ['London'])
  assert.deepEqual(await namesOf('name=London&namePrefix=X'), [])
  assert.deepEqual(await namesOf('namePrefix=%25'), [])
  assert.deepEqual(await namesOf('namePrefix=_'), [])
  assert.deepEqual(await namesOf('countryId=4000000000'), [])
})

test('name and namePrefix take 1 to 50 characters, an emoji being one', async () => {
  for (const parameter of ['name', 'namePrefix']) {
    assert.deepEqual((await readList(`/cities?${parameter}=${encodeURIComponent('😀'.repeat(50))}`)).items, [])
    for (const value of ['', 'x'.repeat(51), 'x'.repeat(8000)]) {
      assert.deepEqual(await readErrors(`/cities?${parameter}=${value}`), [
        { parameter, detail: 'must have 1 to 50 characters' },
      ])
    }
  }
})

test('include=country gives each city its country', async () => {
  const { items } = await readList('/cities?name=London&include=country')
  assert.deepEqual(items[0], { ...london, country: unitedKingdom })
  assert.deepEqual(await readErrors('/cities?include=cities'), [
    { parameter: 'include', detail: 'must be one of: country' },
  ])
})

test('count=exact counts all that match, and only when asked', async () => {
  assert.equal((await readList('/cities?count=exact&limit=1')).count, 600)
  assert.equal((await readList('/cities?count=exact&countryId=44&limit=1')).count, 60)
  assert.equal((await readList('/countries?count=exact&limit=1')).count, 109)
  assert.equal((await readList('/countries?count=exact&namePrefix=united')).count, 3)
  assert.ok(!('count' in (await readList('/cities?limit=1'))))
})

test('Link repeats the query with the next cursor, relative to the host, and ends with the list', async () => {
  const first = await get('/cities?sort=city&limit=1&name=London')
  const { next } = (await first.json()) as { next: string }
  assert.equal(first.headers.get('Link'), `</cities?sort=city&limit=1&name=London&after=${next}>; rel="next"`)
  const last = await get(`/cities?sort=city&limit=1&name=London&after=${next}`)
  assert.equal(last.headers.get('Link'), null)
  assert.deepEqual(await last.json(), { items: [{ ...london, cityId: 313, countryId: 20 }], next: null })
})

test('a cursor continues only the sort that it came from', async () => {
  const { next } = await readList('/cities?sort=city&limit=1')
  const detail = 'must be the `next` of a page of this list with the same `sort`'
  const errors = [{ parameter: 'after', detail }]
  assert.deepEqual(await readErrors(`/cities?sort=-city&after=${next}`), errors)
  assert.deepEqual(await readErrors(`/cities?after=${next}`), errors)
  assert.deepEqual(await readErrors(`/countries?sort=country&after=${next}`), errors)
  assert.deepEqual(await readErrors('/cities?after=garbage'), errors)
  assert.deepEqual(await readErrors('/cities?after='), errors)
})

test('a 400 lists each bad parameter: unknown, repeated and wrong ones', async () => {
  assert.deepEqual(await readErrors('/cities?limit=0&limt=5&sort=size&name=a&name=b&__proto__=1&constructor=2'), [
    { parameter: 'limit', detail: 'must be an integer from 1 to 100' },
    { parameter: 'sort', detail: 'must be one of: cityId, -cityId, city, -city, lastUpdate, -lastUpdate' },
    { parameter: 'name', detail: 'must be given once' },
    { parameter: 'limt', detail: 'is not a parameter of this route' },
    { parameter: '__proto__', detail: 'is not a parameter of this route' },
    { parameter: 'constructor', detail: 'is not a parameter of this route' },
  ])
  assert.equal(({} as Record<string, unknown>)['1'], undefined)
})

test('every route refuses unknown parameters, the health routes ignore them', async () => {
  const strict = ['/', '/cities', '/cities/1', '/countries', '/countries/1', '/countries/1/cities', '/version']
  for (const path of [...strict, '/openapi.json', '/docs', '/docs/start.js', '/docs/swagger-ui.css']) {
    assert.deepEqual(await readErrors(`${path}?x=1`), [{ parameter: 'x', detail: 'is not a parameter of this route' }])
  }
  for (const path of ['/livez', '/readyz', '/healthz', '/metrics'])
    assert.equal((await get(`${path}?x=1`)).status, 200, path)
})

test('a country is found by id, and its cities as /cities?countryId= finds them', async () => {
  assert.deepEqual(await read('/countries/102'), { status: 200, body: unitedKingdom })
  const { items, next } = await readList('/countries/44/cities?limit=3&sort=-city&include=country')
  assert.deepEqual({ items, next }, await readList('/cities?countryId=44&limit=3&sort=-city&include=country'))
  assert.equal(items.length, 3)
  assert.deepEqual(await readErrors('/countries/44/cities?countryId=44'), [
    { parameter: 'countryId', detail: 'is not a parameter of this route' },
  ])
})

test('the cities of a country that does not exist are 404, of one without matches an empty list', async () => {
  assert.equal((await read('/countries/4400/cities')).status, 404)
  assert.deepEqual((await readList('/countries/44/cities?name=London')).items, [])
})

test('an id that no row has is 404, and one that is no id 400', async () => {
  for (const path of ['/cities/', '/countries/']) {
    for (const id of ['0', '601', '65536', '4294967296', '9999999999']) {
      assert.equal((await read(path + id)).status, 404, path + id)
    }
    for (const id of ['99999999999', '-1', '1.0', 'x', '1%00', '%2e%2e%2f', '0x1', '1e2', '1%201']) {
      assert.equal((await read(path + id)).status, 400, path + id)
    }
  }
  assert.deepEqual(await readErrors('/cities/abc'), [
    { parameter: 'cityId', detail: 'must be an integer from 0 to 9999999999' },
  ])
})

test('the ETag of a row is what SQL makes of it, so that a write can compare it', async () => {
  const { rows } = await sql<{ tag: string }>`
    select sha2(concat_ws('|', city_id, country_id, unix_timestamp(last_update), city), 256) as tag from city where city_id = 1
    union all
    select sha2(concat_ws('|', country_id, unix_timestamp(last_update), country), 256) from country where country_id = 1
  `.execute(service.database.kysely)
  const tags = [(await get('/cities/1')).headers.get('ETag'), (await get('/countries/1')).headers.get('ETag')]
  assert.deepEqual(
    tags,
    rows.map(({ tag }) => `"${tag}"`),
  )
})

test('If-None-Match with the right tag is 304 without a body, for GET and HEAD', async () => {
  for (const path of ['/cities/312', '/countries/102']) {
    const etag = (await get(path)).headers.get('ETag') ?? ''
    for (const header of [etag, `"x", W/${etag}`, '*']) {
      const answer = await get(path, { 'If-None-Match': header })
      assert.equal(answer.status, 304)
      assert.equal(answer.headers.get('ETag'), etag)
      assert.equal(await answer.text(), '')
    }
    const head = await service.app.request(path, { method: 'HEAD', headers: { 'If-None-Match': etag } })
    assert.equal(head.status, 304)
    assert.equal((await get(path, { 'If-None-Match': '"x"' })).status, 200)
  }
  assert.equal((await get('/cities/60000', { 'If-None-Match': '*' })).status, 404)
})

test('HEAD is GET without the body, on every route', async () => {
  const paths = ['/?city=London', '/cities?limit=1', '/cities/1', '/cities/601', '/countries', '/countries/1', '/docs']
  for (const path of [...paths, '/countries/1/cities', '/version', '/openapi.json', '/livez', '/readyz', '/nowhere']) {
    const [full, head] = [await get(path), await service.app.request(path, { method: 'HEAD' })]
    assert.equal(head.status, full.status, path)
    assert.equal(head.headers.get('Content-Type'), full.headers.get('Content-Type'), path)
    assert.equal(head.headers.get('ETag'), full.headers.get('ETag'), path)
    assert.equal(head.headers.get('Link'), full.headers.get('Link'), path)
    assert.equal(await head.text(), '', path)
  }
})

function allowOf(path: string): string {
  return { '/cities': 'GET, HEAD, POST', '/cities/1': 'GET, HEAD, PATCH, DELETE' }[path] ?? 'GET, HEAD'
}

test('lists that are asked for together are what each is alone, and each answer has its own id', async () => {
  const paths = [
    '/cities',
    '/cities?limit=3',
    '/cities?sort=-city&count=exact',
    '/countries?limit=3',
    '/cities?after=x',
  ]
  const alone: Awaited<ReturnType<typeof read>>[] = []
  for (const path of paths) alone.push(await read(path)) // one after the other
  const together = await Promise.all(Array.from({ length: 40 }, (_, place) => get(paths[place % paths.length] ?? '')))
  const withoutId = (body: unknown) => ({ ...(body as object), requestId: undefined })
  for (const [place, answer] of together.entries()) {
    const expected = alone[place % paths.length] ?? assert.fail('no such path')
    assert.equal(answer.status, expected.status)
    assert.deepEqual(withoutId(await answer.json()), withoutId(expected.body))
  }
  assert.equal(new Set(together.map(({ headers }) => headers.get('X-Request-Id'))).size, together.length)
})

test('another method is 405 and Allow says which there are', async () => {
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    for (const path of ['/', '/cities', '/cities/1', '/countries/1/cities', '/livez', '/openapi.json', '/docs']) {
      if (allowOf(path).includes(method)) continue
      const answer = await service.app.request(path, { method })
      assert.equal(answer.status, 405, `${method} ${path}`)
      assert.equal(answer.headers.get('Allow'), allowOf(path))
      assert.equal(answer.headers.get('Content-Type'), 'application/problem+json')
      assert.equal(((await answer.json()) as { status: number }).status, 405)
    }
  }
})

test('a path that is no route is 404 with a problem', async () => {
  for (const path of ['/nowhere', '/cities/', '/cities/1/', '/Cities', '/cities/1/2', '//cities', '/cities%2f1']) {
    const answer = await get(path)
    assert.equal(answer.status, 404, path)
    const { requestId, ...body } = (await answer.json()) as { requestId: string }
    assert.deepEqual(body, { type: 'about:blank', title: 'Not Found', status: 404, detail: 'There is no such route.' })
    assert.equal(requestId, answer.headers.get('X-Request-Id'))
  }
})

test('percent-encoding that is no UTF-8 is 400 wherever it is', async () => {
  for (const bad of ['%ED%A0%80', '%FF', '%C3', '%zz', '%', '%C3%28', '%F5%80%80%80']) {
    for (const path of [`/?city=${bad}`, `/cities?${bad}=1`, `/cities/${bad}`, `/${bad}`, `/livez?x=${bad}`]) {
      const { status, body } = await read(path)
      assert.equal(status, 400, path)
      assert.equal((body as { detail: string }).detail, 'The percent-encoding of the URL is not valid UTF-8.')
    }
  }
})

test('the typed client knows the routes, their parameters and their bodies', async () => {
  const client = hc<AppType>('http://localhost', {
    fetch: (input: string | URL | Request, init?: RequestInit) => service.app.request(new Request(input, init)),
  })
  const list = await client.cities.$get({ query: { name: 'London', include: 'country', limit: '1' } })
  if (list.status !== 200) return assert.fail(`status ${list.status}`)
  const { items } = await list.json()
  assert.equal(items[0]?.country?.country, 'United Kingdom')
  const missing = await client.cities[':cityId'].$get({ param: { cityId: '60000' }, query: {} })
  if (missing.status !== 404) return assert.fail(`status ${missing.status}`)
  assert.equal((await missing.json()).title, 'Not Found')
})
