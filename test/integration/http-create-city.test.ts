import assert from 'node:assert/strict'
import { hc } from 'hono/client'
import { sql } from 'kysely'
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, test } from 'vitest'
import type { AppType } from '../../src/app.ts'
import { createTestApp, type TestApp } from './http-fixture.ts'

let service: TestApp

beforeAll(async () => {
  service = await createTestApp()
})
afterAll(() => service.close())

interface Problem {
  readonly status: number
  readonly detail?: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

/** Sends a body as it is, with a token and as JSON unless told otherwise. */
async function post(body: BodyInit | null, headers: Record<string, string> = {}): Promise<Response> {
  const all = { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json', ...headers }
  // Node demands `duplex` with a stream; the DOM's types do not know it.
  const init = { method: 'POST', body, headers: all, duplex: 'half' }
  return await service.app.request('/cities', init)
}

/** A body without a length. */
function inChunks(text: string): ReadableStream {
  return new Blob([text]).stream()
}

const postJson = (body: unknown, headers?: Record<string, string>) => post(JSON.stringify(body), headers)

async function problemOf(answer: Response): Promise<Problem> {
  assert.equal(answer.headers.get('Content-Type'), 'application/problem+json')
  const problem = (await answer.json()) as Problem
  assert.equal(problem.status, answer.status)
  return problem
}

/** How many cities have this name, byte for byte. */
async function countOf(name: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from city where cast(city as binary) = cast(${name} as binary)
  `.execute(service.database.kysely)
  return Number(rows[0]?.count)
}

test('a new city is answered as the database has it, and found where Location says, with the same ETag', async () => {
  const before = Date.now()
  const answer = await postJson({ city: 'Atlantis', countryId: 102 })
  assert.equal(answer.status, 201)
  const { lastUpdate, ...city } = (await answer.json()) as { lastUpdate: string; cityId: number }
  assert.deepEqual(city, { cityId: city.cityId, city: 'Atlantis', countryId: 102 })
  assert.ok(city.cityId > 600)
  assert.ok(Math.abs(Date.parse(lastUpdate) - before) < 60_000, lastUpdate)
  const location = answer.headers.get('Location')
  assert.equal(location, `/cities/${city.cityId}`)
  const found = await service.app.request(location)
  assert.deepEqual(await found.json(), { ...city, lastUpdate })
  assert.equal(found.headers.get('ETag'), answer.headers.get('ETag'))
  assert.match(answer.headers.get('ETag') ?? '', /^"[0-9a-f]{64}"$/)
})

test('a name is stored in normalisation form C, and everything else of it as it was sent', async () => {
  const names = ['  A Coruña ', 'O\'Brien\\n"`--', '😀\u200d🚀', '日本', '%_', '\ufeffx', 'null']
  for (const name of names) {
    const answer = await postJson({ city: name, countryId: 1 })
    assert.equal(((await answer.json()) as { city: string }).city, name)
    assert.equal(await countOf(name), 1, name)
  }
  const answer = await postJson({ city: 'Zu\u0308rich', countryId: 91 })
  assert.equal(((await answer.json()) as { city: string }).city, 'Z\u00fcrich')
  assert.equal(await countOf('Z\u00fcrich'), 1)
})

test('a name has 1 to 50 characters once it is normalised, an emoji being one', async () => {
  for (const city of ['x', 'x'.repeat(50), '😀'.repeat(50), 'e\u0301'.repeat(50)]) {
    assert.equal((await postJson({ city, countryId: 1 })).status, 201, city)
  }
  // The last one is one character, and three in normalisation form C.
  for (const city of ['', 'x'.repeat(51), '😀'.repeat(51), '\ufb2c'.repeat(17)]) {
    const { errors } = await problemOf(await postJson({ city, countryId: 1 }))
    assert.deepEqual(errors, [{ pointer: '/city', detail: 'must have 1 to 50 characters, and no control characters' }])
  }
})

test('a name has no control characters and no half of a surrogate pair', async () => {
  for (const part of ['\0', '\t', '\n', '\x1f', '\x7f', '\x85', '\x9f', '\ud800', '\udfff', '\udc00\ud800']) {
    const answer = await postJson({ city: `x${part}y`, countryId: 1 })
    assert.equal(answer.status, 400, JSON.stringify(part))
    assert.deepEqual(
      (await problemOf(answer)).errors?.map(({ pointer }) => pointer),
      ['/city'],
    )
  }
  for (const part of [' ', '\x7e', '\xa0', '\u2028']) {
    assert.equal((await postJson({ city: `x${part}y`, countryId: 1 })).status, 201, JSON.stringify(part))
  }
})

test('a 400 lists each bad field by its pointer: missing, of a wrong type, out of range and unknown ones', async () => {
  const errorsOf = async (body: unknown) => {
    const answer = await postJson(body)
    assert.equal(answer.status, 400, JSON.stringify(body))
    return (await problemOf(answer)).errors
  }
  const country = { pointer: '/countryId', detail: 'must be an integer from 1 to 65535' }
  const text = { pointer: '/city', detail: 'must be a text' }
  assert.deepEqual(await errorsOf({}), [text, country])
  assert.deepEqual(await errorsOf({ city: null, countryId: '1', 'a/b~c': 1, cityId: 5 }), [
    text,
    country,
    { pointer: '/a~1b~0c', detail: 'is not a field of this body' },
    { pointer: '/cityId', detail: 'is not a field of this body' },
  ])
  for (const countryId of [0, -1, 65_536, 1.5, 1e300, true, [1], { $ne: 1 }]) {
    assert.deepEqual(await errorsOf({ city: 'x', countryId }), [country])
  }
  for (const body of [null, [], 'x', 5, [{ city: 'x', countryId: 1 }]]) {
    assert.deepEqual(await errorsOf(body), [{ pointer: '', detail: 'must be an object' }])
  }
  const polluted = await problemOf(await post('{"city":"x","countryId":1,"__proto__":{"polluted":1},"constructor":1}'))
  assert.deepEqual(
    polluted.errors?.map(({ pointer }) => pointer),
    ['/__proto__', '/constructor'],
  )
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

test('no body at all is 400, and not an empty city', async () => {
  assert.deepEqual(
    (
      await problemOf(
        await service.app.request('/cities', { method: 'POST', headers: { Authorization: `Bearer ${service.token}` } }),
      )
    ).errors?.map(({ pointer }) => pointer),
    ['/city', '/countryId'],
  )
  assert.equal((await post('')).status, 400)
})

test('what is no JSON, or no UTF-8, is 400', async () => {
  const bad = ['{', 'city=x', '{"city":"x","countryId":1}}', "{'city':'x'}", '{"city":"x","countryId":01}', 'NaN']
  const bytes = Buffer.concat([Buffer.from('{"city":"x'), Buffer.from([0xff]), Buffer.from('","countryId":1}')])
  for (const body of [...bad, bytes]) {
    const answer = await post(body)
    assert.equal(answer.status, 400)
    assert.equal((await problemOf(answer)).detail, 'The body is not JSON in UTF-8.')
  }
})

test('another content type is 415, whatever the body', async () => {
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonp',
    'garbage',
  ]
  for (const type of types) {
    for (const body of ['{"city":"x","countryId":1}', '{', Buffer.from([0xff])]) {
      const answer = await post(body, { 'Content-Type': type })
      assert.equal(answer.status, 415, type)
      await problemOf(answer)
    }
  }
  assert.equal(
    (await postJson({ city: 'x', countryId: 1 }, { 'Content-Type': 'Application/JSON; charset=utf-8' })).status,
    201,
  )
})

test('a body of 16 KB is read, one byte more is 413, with a length and in chunks', async () => {
  const bodyOf = (bytes: number) => `{"city":"x","countryId":1${' '.repeat(bytes - 26)}}`
  const statusOf = async (body: BodyInit, headers: Record<string, string> = {}) => (await post(body, headers)).status
  assert.equal(bodyOf(100).length, 100)
  assert.equal(await statusOf(bodyOf(16_384), { 'Content-Length': '16384' }), 201)
  assert.equal(await statusOf(bodyOf(16_385), { 'Content-Length': '16385' }), 413)
  assert.equal(await statusOf(inChunks(bodyOf(16_384))), 201)
  assert.equal(await statusOf(inChunks(bodyOf(16_385))), 413)
  const answer = await post(inChunks(bodyOf(1_000_000)))
  assert.equal((await problemOf(answer)).detail, 'The body has more than 16384 bytes.')
})

test('a country that does not exist is 422, named by its pointer, and nothing is written', async () => {
  const answer = await postJson({ city: 'Nowhere at all', countryId: 110 })
  assert.equal(answer.status, 422)
  const { detail, errors } = await problemOf(answer)
  assert.equal(detail, 'There is no such country.')
  assert.deepEqual(errors, [{ pointer: '/countryId', detail: 'must be the id of a country' }])
  assert.equal(await countOf('Nowhere at all'), 0)
})

test('without a token a write is 401 and says which kind is wanted; the body is not looked at', async () => {
  const challenges = {
    '': 'Bearer realm="still-here"',
    'Basic dGVzdC10b2tlbg==': 'Bearer realm="still-here"',
    'Bearer ': 'Bearer realm="still-here"',
    'Bearer two tokens': 'Bearer realm="still-here"',
    [service.token]: 'Bearer realm="still-here"',
    'Bearer wrong': 'Bearer realm="still-here", error="invalid_token"',
    'Bearer test-toke': 'Bearer realm="still-here", error="invalid_token"',
    'Bearer test-tokens': 'Bearer realm="still-here", error="invalid_token"',
    'Bearer TEST-TOKEN': 'Bearer realm="still-here", error="invalid_token"',
  }
  for (const [Authorization, challenge] of Object.entries(challenges)) {
    const answer = await post('{', { Authorization })
    assert.equal(answer.status, 401, Authorization)
    assert.equal(answer.headers.get('WWW-Authenticate'), challenge)
    assert.ok(!(await answer.text()).includes('toke-'), Authorization)
  }
  assert.equal((await postJson({ city: 'x', countryId: 1 }, { Authorization: 'bearer  test-token ' })).status, 201)
})

test('an unknown query parameter is refused, and GET goes on without a token', async () => {
  const answer = await service.app.request('/cities?dryRun=1', {
    method: 'POST',
    headers: { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json' },
    body: '{"city":"x","countryId":1}',
  })
  assert.equal(answer.status, 400)
  assert.equal((await service.app.request('/cities?limit=1')).status, 200)
})

test('the typed client knows the body and both answers', async () => {
  const client = hc<AppType>('http://localhost', {
    headers: { Authorization: `Bearer ${service.token}` },
    fetch: (input: string | URL | Request, init?: RequestInit) => service.app.request(new Request(input, init)),
  })
  const created = await client.cities.$post({ query: {}, json: { city: 'Typed', countryId: 1 } })
  if (created.status !== 201) return assert.fail(`status ${created.status}`)
  assert.equal((await created.json()).city, 'Typed')
  const refused = await client.cities.$post({ query: {}, json: { city: 'Typed', countryId: 9999 } })
  if (refused.status !== 422) return assert.fail(`status ${refused.status}`)
  assert.equal((await refused.json()).errors?.[0]?.pointer, '/countryId')
})

test('the primary key is the only unique key of city: a duplicate can be of nothing else', async () => {
  const { rows } = await sql<{ name: string }>`
    select distinct index_name as name from information_schema.statistics
    where table_schema = database() and table_name = 'city' and non_unique = 0
  `.execute(service.database.kysely)
  assert.deepEqual(rows, [{ name: 'PRIMARY' }])
})

// Last: nothing can be added afterwards.
test('the last id is given out, after it comes 507, and reads go on', async () => {
  const { password, ...admin } = service.schema.admin
  const connection = await createConnection({ ...admin, password: await password() })
  await connection.query('ALTER TABLE city AUTO_INCREMENT = 65535')
  await connection.end()
  const last = await postJson({ city: 'The last', countryId: 1 })
  assert.equal(last.status, 201)
  assert.equal(last.headers.get('Location'), '/cities/65535')
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const answer = await postJson({ city: 'One more', countryId: 1 })
    assert.equal(answer.status, 507)
    assert.equal((await problemOf(answer)).detail, 'No id is left for another row.')
  }
  assert.equal(await countOf('One more'), 0)
  assert.deepEqual(
    service.lines.filter(({ level }) => level !== 'info').map(({ level, message }) => [level, message]),
    [
      ['error', 'answered 507'],
      ['error', 'answered 507'],
    ],
  )
  assert.equal((await service.app.request('/cities/65535')).status, 200)
})

test('no token and no value of a body was logged', () => {
  const log = JSON.stringify(service.lines)
  for (const text of [service.token, 'test-toke', 'Atlantis', 'One more']) assert.ok(!log.includes(text), text)
})
