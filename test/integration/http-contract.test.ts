import assert from 'node:assert/strict'
import type { ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { createTestApp, type TestApp } from './http-fixture.ts'

/** Give `HTTP_SEED` to see a failure again. */
const seed = Number(process.env['HTTP_SEED'] ?? Date.now() % 2 ** 31)
const RUNS = 60

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly schema: { type?: string; minimum?: number; maximum?: number; maxLength?: number; enum?: string[] }
}
interface Operation {
  readonly operationId: string
  readonly security?: readonly object[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required?: boolean }
  readonly responses: Record<string, { readonly content?: Record<string, unknown> }>
}
interface Document {
  readonly openapi: string
  readonly components: { readonly securitySchemes: Record<string, { readonly type: string; readonly scheme: string }> }
  readonly paths: Record<string, Record<string, Operation>>
}

let service: TestApp
let document: Document
let ajv: Ajv2020

beforeAll(async () => {
  console.info(`[contract] HTTP_SEED=${seed}`)
  service = await createTestApp()
  document = (await (await service.app.request('/openapi.json')).json()) as Document
  ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'document')
})
afterAll(() => service.close())

/** A value as it stands in a URL, and whether the document allows it. */
interface Given {
  readonly encoded: string
  readonly isAllowed: boolean
}

const hostile = fc
  .constantFrom(
    '%00',
    '%ED%A0%80',
    '%ED%BF%BF',
    '%FF',
    '%zz',
    '%',
    "'%20OR%20'1'%3D'1",
    '1%3B%20DROP%20TABLE%20city%3B%20--%20',
    '1%20UNION%20SELECT%20*%20FROM%20country',
    '%5C%27',
    '1e9',
    '-1',
    '2.5',
    '0',
    'NaN',
    'null',
    '%F0%9F%98%80'.repeat(51),
    'x'.repeat(8192),
    '__proto__',
    '%7B%22%24ne%22%3A1%7D',
    '..%2F..%2Fetc%2Fpasswd',
    'eyJzb3J0IjoiY2l0eSIsInZhbHVlIjoiJyBPUiAxPTEiLCJpZCI6MX0',
    'eyJzb3J0IjoiY2l0eUlkIiwidmFsdWUiOjY1NTM2LCJpZCI6MX0',
  )
  .map((encoded): Given => ({ encoded, isAllowed: false }))

const anything = fc
  .string({ unit: 'binary', maxLength: 60 })
  .map((text): Given => ({ encoded: encodeURIComponent(text), isAllowed: false }))

function allowed({ name, schema }: Parameter): fc.Arbitrary<Given> {
  const value = (): fc.Arbitrary<string> => {
    if (schema.enum) return fc.constantFrom(...schema.enum)
    if (schema.type === 'integer') {
      const { minimum = 0, maximum = 100 } = schema
      const small = fc.integer({ min: minimum, max: Math.min(maximum, 700) })
      return fc.oneof({ weight: 5, arbitrary: small }, fc.integer({ min: minimum, max: maximum })).map(String)
    }
    // Any text is a city's name; any text may be a cursor, though hardly any is.
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: Math.min(schema.maxLength ?? 60, 25) })
    return fc.oneof(text, fc.constantFrom('London', 'a', 'A Coruña (La Coruña)', '%', '_'))
  }
  return value().map((text) => ({ encoded: encodeURIComponent(text), isAllowed: name !== 'after' }))
}

interface Request {
  readonly target: string
  /** Whether the document promises that this is not a 400. */
  readonly isAllowed: boolean
}

interface Mood {
  /** Whether to give what the document does not allow. */
  readonly isHostile: boolean
}

/** A target of the operation: each parameter absent, allowed, hostile or repeated, and now and then an unknown one. */
function targetOf(path: string, parameters: readonly Parameter[], { isHostile }: Mood): fc.Arbitrary<Request> {
  const given = (parameter: Parameter) =>
    isHostile
      ? fc.oneof({ weight: 3, arbitrary: allowed(parameter) }, { weight: 1, arbitrary: hostile }, anything)
      : allowed(parameter)
  const inPath = fc.tuple(
    // A dot segment would be another path.
    ...parameters
      .filter((parameter) => parameter.in === 'path')
      .map((parameter) =>
        given(parameter).filter(({ encoded }) => encoded !== '' && !/^(\.|%2e){1,2}$/i.test(encoded)),
      ),
  )
  const inQuery = fc.tuple(
    ...parameters
      .filter((parameter) => parameter.in === 'query')
      .map(({ name, ...parameter }) =>
        fc
          .array(given({ name, ...parameter }), { maxLength: isHostile ? 2 : 1 })
          .map((values) => ({ name, values: values.map(({ encoded }) => `${name}=${encoded}`), given: values })),
      ),
  )
  const unknown = isHostile
    ? fc.option(fc.constantFrom('limt=5', '__proto__=1', 'constructor=x', '%00=1', 'LIMIT=1', 'x'), { freq: 8 })
    : fc.constant(null)
  return fc.tuple(inPath, inQuery, unknown).map(([pathValues, query, extra]) => {
    let index = 0
    const filled = path.replace(/\{[^}]+\}/g, () => pathValues[index++]?.encoded ?? '')
    const pairs = [...query.flatMap(({ values }) => values), ...(extra === null ? [] : [extra])]
    const all = [...pathValues, ...query.flatMap(({ given }) => given)]
    return {
      target: `${filled}?${pairs.join('&')}`,
      isAllowed: !isHostile && all.every(({ isAllowed }) => isAllowed),
    }
  })
}

const anyTargetOf = (path: string, parameters: readonly Parameter[]) =>
  fc.oneof(targetOf(path, parameters, { isHostile: false }), {
    weight: 2,
    arbitrary: targetOf(path, parameters, { isHostile: true }),
  })

const headers = fc.record(
  {
    'Request-Timeout': fc.constantFrom('1', '5', '0.9', '99999', 'soon', '-1', ''),
    'If-None-Match': fc.constantFrom('*', '"x"', 'W/"y", "z"', 'garbage', ','),
    Accept: fc.constantFrom('*/*', 'application/health+json', 'text/html', ';;;'),
    'X-Request-Id': fc.constantFrom('abc', '../..', 'x'.repeat(300)),
  },
  { requiredKeys: [], noNullPrototype: true },
)

const byName = (a: string, b: string) => (a < b ? -1 : 1)

const validators = new Map<string, ValidateFunction>()

/** The document's schema of this answer. */
function validatorOf(path: string, method: string, status: string, type: string): ValidateFunction {
  const escaped = (part: string) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
  const pointer = ['paths', path, method, 'responses', status, 'content', type, 'schema'].map(escaped).join('/')
  const validator = validators.get(pointer) ?? ajv.compile({ $ref: `document#/${pointer}` })
  validators.set(pointer, validator)
  return validator
}

/** How many cities were added. */
let created = 0

async function assertDocumented(answer: Response, path: string, method: string): Promise<void> {
  if (answer.status === 201) created += 1
  const documented = document.paths[path]?.[method]?.responses[String(answer.status)]
  assert.ok(documented, `${answer.status} is not documented: ${await answer.clone().text()}`)
  assert.ok(answer.status < 500, `${answer.status}: ${await answer.clone().text()}`)
  const text = await answer.text()
  if (!documented.content) {
    assert.equal(text, '')
    return
  }
  const type = (answer.headers.get('Content-Type') ?? '').split(';')[0] ?? ''
  assert.ok(documented.content[type], `${answer.status} as ${type} is not documented`)
  const validate = validatorOf(path, method, String(answer.status), type)
  assert.ok(validate(type.endsWith('json') ? JSON.parse(text) : text), ajv.errorsText(validate.errors))
}

/** Methods that change something, in the order of the `Allow` header. */
function writesOf(path: string): readonly string[] {
  return path === '/cities' ? ['POST'] : path === '/cities/{cityId}' ? ['PATCH', 'DELETE'] : []
}

describe('every answer has a documented status and matches its schema', () => {
  // Known before the document is: a test a route needs its name early. The next test compares them.
  const paths = [
    '/',
    '/cities',
    '/cities/{cityId}',
    '/countries',
    '/countries/{countryId}',
    '/countries/{countryId}/cities',
    '/healthz',
    '/livez',
    '/metrics',
    '/openapi.json',
    '/readyz',
    '/version',
  ]

  test('the document has these paths, with GET and HEAD, and other methods where something can be changed', () => {
    assert.equal(document.openapi, '3.1.1')
    assert.deepEqual(Object.keys(document.paths).toSorted(byName), paths)
    for (const path of paths) {
      const methods = ['get', 'head', ...writesOf(path)].map((method) => method.toLowerCase())
      assert.deepEqual(Object.keys(document.paths[path] ?? {}).toSorted(byName), methods.toSorted(byName))
    }
  })

  test('it lists what cannot be provoked here too: faults of the service and of the database', () => {
    const statuses = Object.fromEntries(
      paths.map((path) => [path, Object.keys(document.paths[path]?.['get']?.responses ?? {}).join(' ')]),
    )
    assert.deepEqual(statuses, {
      '/': '200 400 404 500 503 504',
      '/cities': '200 400 500 503 504',
      '/cities/{cityId}': '200 304 400 404 500 503 504',
      '/countries': '200 400 500 503 504',
      '/countries/{countryId}': '200 304 400 404 500 503 504',
      '/countries/{countryId}/cities': '200 400 404 500 503 504',
      '/healthz': '200 400 500 503',
      '/livez': '200 400 500 503',
      '/metrics': '200 400 500',
      '/openapi.json': '200 400 500',
      '/readyz': '200 400 500 503',
      '/version': '200 400 500',
    })
    const writes = { post: '/cities', patch: '/cities/{cityId}', delete: '/cities/{cityId}' }
    const ofWrites = Object.entries(writes).map(([method, path]) => {
      const { responses = {}, security } = document.paths[path]?.[method] ?? {}
      assert.deepEqual(security, [{ writeToken: [] }])
      return Object.keys(responses).join(' ')
    })
    assert.deepEqual(ofWrites, [
      '201 400 401 403 408 409 413 415 422 500 503 504 507',
      '200 400 401 403 404 408 409 412 413 415 422 500 503 504',
      '204 400 401 403 404 409 412 422 500 503 504',
    ])
  })

  test('it says how to write: a bearer token, and a body that is required', () => {
    const { type, scheme } = document.components.securitySchemes['writeToken'] ?? {}
    assert.deepEqual({ type, scheme }, { type: 'http', scheme: 'bearer' })
    assert.equal(document.paths['/cities']?.['post']?.requestBody?.required, true)
  })

  test('each operation has a name of its own', () => {
    const names = Object.values(document.paths).flatMap((item) =>
      Object.values(item).map(({ operationId }) => operationId),
    )
    assert.equal(new Set(names).size, names.length)
    assert.ok(names.every((name) => /^\w+$/.test(name)))
  })

  for (const path of paths) {
    for (const method of ['get', 'head']) {
      test(`${method.toUpperCase()} ${path}`, async () => {
        const parameters = document.paths[path]?.[method]?.parameters ?? []
        let good = 0
        await fc.assert(
          fc.asyncProperty(anyTargetOf(path, parameters), headers, async ({ target, isAllowed }, given) => {
            const answer = await service.app.request(target, { method: method.toUpperCase(), headers: given })
            const isHeaderBad = ['soon', '-1', ''].includes(given['Request-Timeout'] ?? '1')
            if (isAllowed && !isHeaderBad) {
              assert.notEqual(answer.status, 400, await answer.clone().text())
              good += 1
            }
            await assertDocumented(answer, path, method)
          }),
          { seed, numRuns: RUNS },
        )
        assert.ok(good > 0, 'no request was one that the document allows')
      })
    }

    test(`other methods on ${path}, with bodies`, async () => {
      const writes = writesOf(path)
      const allow = ['GET', 'HEAD', ...writes].join(', ')
      const others = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'PROPFIND']
      const method = fc.constantFrom(...others.filter((other) => !writes.includes(other)))
      const body = fc.constantFrom('', '{', '{"city":"x"}', 'x'.repeat(1_000_000))
      const type = fc.constantFrom('application/json', 'text/plain', 'application/x-www-form-urlencoded', 'garbage')
      const parameters = (document.paths[path]?.['get']?.parameters ?? []).filter(
        (parameter) => parameter.in === 'path',
      )
      await fc.assert(
        fc.asyncProperty(
          anyTargetOf(path, parameters),
          method,
          body,
          type,
          async ({ target, isAllowed }, method, body, type) => {
            const answer = await service.app.request(target, { method, body, headers: { 'Content-Type': type } })
            if (isAllowed) assert.equal(answer.status, 405)
            // 400 where the URL itself cannot be read.
            assert.ok([400, 405].includes(answer.status), String(answer.status))
            if (answer.status === 405) assert.equal(answer.headers.get('Allow'), allow)
            assert.equal(answer.headers.get('Content-Type'), 'application/problem+json')
            const problem = ajv.compile({ $ref: 'document#/components/schemas/Problem' })
            assert.ok(problem(await answer.json()), ajv.errorsText(problem.errors))
          },
        ),
        { seed, numRuns: 15 },
      )
    })
  }
})

describe('POST /cities', () => {
  const city = fc.oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.string({ unit: 'binary-ascii', maxLength: 60 }),
    fc.constantFrom(
      '',
      '😀'.repeat(50),
      '😀'.repeat(51),
      '\ud800',
      "'; DROP TABLE city; -- ",
      '\0',
      'e\u0301'.repeat(50),
    ),
    fc.jsonValue(),
  )
  const countryId = fc.oneof(
    fc.integer({ min: 1, max: 109 }),
    fc.integer({ min: -5, max: 70_000 }),
    fc.constantFrom(0, 65_535, 65_536, 2 ** 53, 1e300, 1.5, '1', null),
    fc.jsonValue(),
  )
  const fields = fc.record({ city, countryId }, { requiredKeys: [], noNullPrototype: true })
  const extra = fc.option(fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue(), { maxKeys: 2 }), { freq: 5 })
  const json = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fields, extra).map(([known, more]) => JSON.stringify({ ...more, ...known })) },
    fc.json(),
  )
  const type = fc.oneof(
    { weight: 6, arbitrary: fc.constant('application/json') },
    fc.constantFrom('application/json; charset=utf-8', 'text/plain', 'multipart/form-data', 'garbage', ''),
  )
  const body = fc.oneof(
    { weight: 8, arbitrary: json },
    fc.constantFrom('', '{', '[', 'x'.repeat(1_000_000), '[['.repeat(8000), '{"city":"x","countryId":1}{', '\ufeff{}'),
    fc.uint8Array({ maxLength: 60 }),
  )
  const authorization = fc.oneof(
    { weight: 8, arbitrary: fc.constant('Bearer test-token') },
    fc.constantFrom('', 'Bearer', 'Bearer x', 'Basic dGVzdC10b2tlbg==', 'test-token'),
  )

  const send = (given: { body: string | Uint8Array<ArrayBuffer>; headers: Record<string, string>; target?: string }) =>
    service.app.request(given.target ?? '/cities', { method: 'POST', body: given.body, headers: given.headers })

  test('whatever is sent, the answer is documented, and never 500', async () => {
    await fc.assert(
      fc.asyncProperty(body, type, authorization, headers, async (body, type, Authorization, others) => {
        const answer = await send({ body, headers: { ...others, Authorization, 'Content-Type': type } })
        await assertDocumented(answer, '/cities', 'post')
      }),
      { seed, numRuns: RUNS * 5 },
    )
  })

  test('a body that the document allows is 201, or 422 where there is no such country', async () => {
    const validate = ajv.compile({ $ref: 'document#/components/schemas/NewCity' })
    const before = created
    await fc.assert(
      fc.asyncProperty(fields, async (fields) => {
        const headers = { Authorization: 'Bearer test-token', 'Content-Type': 'application/json' }
        const answer = await send({ body: JSON.stringify(fields), headers })
        // The one thing that a JSON Schema cannot say: which texts are longer or shorter in normalisation form C.
        const { city } = fields
        const isNormal = typeof city !== 'string' || (city.isWellFormed() && city.normalize('NFC') === city)
        if (isNormal) assert.equal([201, 422].includes(answer.status), validate(fields), JSON.stringify(fields))
        await assertDocumented(answer, '/cities', 'post')
      }),
      { seed, numRuns: RUNS * 3, examples: [[{ city: 'x'.repeat(50), countryId: 1 }]] },
    )
    assert.ok(created > before, 'nothing was created')
  })

  test('a target with parameters is 400', async () => {
    const headers = { Authorization: 'Bearer test-token', 'Content-Type': 'application/json' }
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('limit=5', '__proto__=1', 'x', 'city=x', '%zz', '%00=1'), async (query) => {
        const answer = await send({ body: '{"city":"x","countryId":1}', headers, target: `/cities?${query}` })
        assert.equal(answer.status, 400)
        await assertDocumented(answer, '/cities', 'post')
      }),
      { seed, numRuns: 12 },
    )
  })
})

test('after all of that no error was logged, and the tables are as they were', async () => {
  assert.deepEqual(
    service.lines.filter(({ level }) => level !== 'info'),
    [],
  )
  const countOf = async (path: string) =>
    ((await (await service.app.request(`${path}?count=exact&limit=1`)).json()) as { count: number }).count
  assert.equal(await countOf('/cities'), 600 + created)
  assert.equal(await countOf('/countries'), 109)
  assert.equal(({} as Record<string, unknown>)['limit'], undefined)
})
