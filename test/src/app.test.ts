import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import {
  type DatabaseConnection,
  DummyDriver,
  Kysely,
  MysqlAdapter,
  MysqlIntrospector,
  MysqlQueryCompiler,
  type QueryResult,
} from 'kysely'
import { test } from 'vitest'
import type { Database, DB } from '../../db/index.ts'
import { createCityLookups } from '../../db/queries/city-lookups.ts'
import { Scope } from '../../db/scope.ts'
import { type AppDeps, createApp } from '../../src/app.ts'
import { createManualClock } from './manual-clock.ts'
import { createMemoryLog } from './memory-log.ts'

const scopes = new AsyncLocalStorage<Scope>()

const pool = { total: 0, idle: 0, acquired: 0, waiting: 0, connecting: 0 }

/** A database whose every statement is answered by `answer`. */
function createFakeKysely(answer: () => Promise<QueryResult<unknown>>): Kysely<DB> {
  class FakeDriver extends DummyDriver {
    override async acquireConnection(): Promise<DatabaseConnection> {
      return {
        executeQuery: answer as DatabaseConnection['executeQuery'], // Rows of any type: each test knows its own.
        streamQuery: () => assert.fail('nothing is streamed'),
      }
    }
  }
  return new Kysely<DB>({
    dialect: {
      createAdapter: () => new MysqlAdapter(),
      createDriver: () => new FakeDriver(),
      createIntrospector: (db) => new MysqlIntrospector(db),
      createQueryCompiler: () => new MysqlQueryCompiler(),
    },
  })
}

function setUp(answer: () => Promise<QueryResult<unknown>>, others: Partial<AppDeps> = {}) {
  const clock = createManualClock()
  const { log, lines } = createMemoryLog()
  const kysely = createFakeKysely(answer)
  const runInScope = <T>(scope: Scope, task: () => T) => scopes.run(scope, task)
  const app = createApp({
    database: {
      kysely,
      cities: createCityLookups({ db: kysely, clock, currentScope: () => scopes.getStore(), runInScope }),
      createScope: (timeoutMs) => new Scope(clock, timeoutMs),
      runInScope,
      health: async () => ({ status: 'fail', reason: 'ECONNREFUSED', pool }),
    } as Partial<Database> as Database, // Just what the routes use.
    schema: { isCurrent: async () => Promise.reject(new Error('no database')) },
    state: () => ({ name: 'ready' }),
    log,
    clock,
    requestTimeoutMs: 5000,
    readWriteTokens: () => ['good-token'],
    version: { name: 'still-here', version: '1.2.3', node: '24.0.0' },
    swaggerUiFolder: dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json')),
    ...others,
  })
  return { app, clock, lines }
}

/** A database that never answers: the caller's time ends the wait, as in the pool. */
const never = () => new Promise<QueryResult<unknown>>((_, reject) => scopes.getStore()?.addListener(reject))
const noRows = async () => ({ rows: [] })

test('a fault of the database is 503, and neither answer nor log carries SQL, values or hosts', async () => {
  const { app, lines } = setUp(() => {
    const sql = "select city_id from city where city = 'secretvalue'"
    const error = new Error(`connect ECONNREFUSED db.internal:3306 ${sql}`)
    return Promise.reject(Object.assign(error, { code: 'ECONNREFUSED', errno: -111, sql }))
  })
  const answer = await app.request('/?city=secretvalue', { headers: { 'X-Request-Id': 'abc' } })
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('Retry-After'), '1')
  assert.equal(answer.headers.get('Cache-Control'), 'no-store')
  assert.equal(answer.headers.get('Content-Type'), 'application/problem+json')
  assert.deepEqual(await answer.json(), {
    type: 'about:blank',
    title: 'Service Unavailable',
    status: 503,
    detail: 'The database cannot be used now.',
    requestId: 'abc',
  })
  assert.ok(!/secretvalue|db\.internal|select/.test(JSON.stringify(lines)))
  assert.deepEqual(
    lines.map(({ level, message }) => [level, message]),
    [
      ['warn', 'answered 503'],
      ['info', 'request'],
    ],
  )
})

test('an error of our own is 500 without its text, and logged with its stack', async () => {
  const { app, lines } = setUp(() => Promise.reject(new TypeError('x is undefined')))
  const answer = await app.request('/cities')
  assert.equal(answer.status, 500)
  assert.ok(!(await answer.text()).includes('undefined'))
  assert.match(JSON.stringify(lines[0]), /x is undefined.*app\.test\.ts/)
})

test('a request ends at its deadline with 504, not before', async () => {
  const { app, clock } = setUp(never)
  const answer = Promise.resolve(app.request('/cities/1'))
  let isAnswered = false
  void answer.finally(() => {
    isAnswered = true
  })
  await tick()
  clock.advance(4999)
  await tick()
  assert.equal(isAnswered, false)
  clock.advance(1)
  assert.equal((await answer).status, 504)
})

test('Request-Timeout shortens the deadline', async () => {
  const { app, clock } = setUp(never)
  const answer = app.request('/cities/1', { headers: { 'Request-Timeout': '0.5' } })
  await tick()
  clock.advance(500)
  assert.equal((await answer).status, 504)
})

test('a bad Request-Timeout is refused by its name', async () => {
  const { app } = setUp(noRows)
  const answer = await app.request('/cities', { headers: { 'Request-Timeout': 'soon' } })
  assert.equal(answer.status, 400)
  assert.deepEqual(((await answer.json()) as { errors: unknown }).errors, [
    { header: 'Request-Timeout', detail: 'must be seconds, 0.001 or more, such as 2 or 0.5' },
  ])
})

test('a client that leaves ends its request', async () => {
  const { app, lines } = setUp(never)
  const client = new AbortController()
  const answer = app.request('/cities/1', { signal: client.signal })
  await tick()
  client.abort()
  assert.equal((await answer).status, 499)
  assert.deepEqual(
    lines.map(({ status }) => status),
    [499],
  )
})

/** A write whose body never ends. */
function postSlowly(app: ReturnType<typeof setUp>['app'], init: RequestInit = {}) {
  const headers = { Authorization: 'Bearer good-token', 'Content-Type': 'application/json' }
  // Node demands `duplex` with a stream; the DOM's types do not know it.
  const slow = { method: 'POST', headers, body: new ReadableStream(), duplex: 'half', ...init }
  return app.request('/cities', slow)
}

test('a body that does not come in time is 408, not 504: the database was not asked', async () => {
  const { app, clock, lines } = setUp(() => assert.fail('the database was asked'))
  const answer = postSlowly(app)
  await tick()
  clock.advance(5000)
  assert.equal((await answer).status, 408)
  assert.equal((await answer).headers.get('Connection'), 'close')
  assert.deepEqual(
    lines.map(({ level, status }) => [level, status]),
    [['info', 408]],
  )
})

test('a client that leaves before its body is whole ends its request', async () => {
  const { app } = setUp(() => assert.fail('the database was asked'))
  const client = new AbortController()
  const answer = postSlowly(app, { signal: client.signal })
  await tick()
  client.abort()
  assert.equal((await answer).status, 499)
})

test('who may not write is told so before the body is read', async () => {
  const { app } = setUp(() => assert.fail('the database was asked'))
  assert.equal((await postSlowly(app, { headers: { 'Content-Type': 'application/json' } })).status, 401)
})

test('no timer of a request outlives it', async () => {
  const { app, clock } = setUp(noRows)
  await app.request('/cities')
  await app.request('/cities/1')
  await app.request('/cities?limit=0')
  await app.request('/readyz')
  assert.equal(clock.pending(), 0)
})

test('logs one line a request: the pattern of the route, never what the client sent', async () => {
  const { app, lines } = setUp(noRows)
  const answer = await app.request('/cities/77?secret=1', { headers: { Authorization: 'Bearer secret' } })
  const requestId = answer.headers.get('X-Request-Id')
  assert.deepEqual(lines, [
    { level: 'info', message: 'request', method: 'GET', route: '/cities/:cityId', status: 400, ms: 0, requestId },
  ])
})

test("a kubelet's probes are logged at debug only", async () => {
  const { app, lines } = setUp(noRows)
  await app.request('/livez', { headers: { 'User-Agent': 'kube-probe/1.34' } })
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['debug'],
  )
})

test('sends security headers, without HSTS', async () => {
  const { headers } = await setUp(noRows).app.request('/livez')
  assert.equal(headers.get('X-Content-Type-Options'), 'nosniff')
  assert.equal(headers.get('Strict-Transport-Security'), null)
})

test('keeps a usable X-Request-Id and makes one otherwise', async () => {
  const { app } = setUp(noRows)
  const idOf = async (id: string) =>
    (await app.request('/livez', { headers: { 'X-Request-Id': id } })).headers.get('X-Request-Id')
  assert.equal(await idOf('trace-1_a='), 'trace-1_a=')
  assert.match((await idOf('a b')) ?? '', /^[0-9a-f-]{36}$/)
})

test('livez says nothing of the database; readyz and healthz do, by code, and nothing may keep them', async () => {
  const { app } = setUp(never)
  const livez = await app.request('/livez?x=1')
  assert.deepEqual([livez.status, await livez.text()], [200, 'ok'])
  const readyz = await app.request('/readyz?x=1')
  assert.equal(readyz.status, 503)
  assert.equal(
    await readyz.text(),
    '[+]started ok\n[+]not-draining ok\n[-]database failed: ECONNREFUSED\n[-]schema failed: unknown\nreadyz check failed',
  )
  const healthz = await app.request('/healthz', { headers: { Accept: 'application/health+json' } })
  assert.equal(healthz.status, 503)
  assert.equal(healthz.headers.get('Content-Type'), 'application/health+json')
  assert.deepEqual(await healthz.json(), { status: 'fail', reason: 'ECONNREFUSED', pool })
  for (const { headers } of [livez, readyz, healthz]) assert.equal(headers.get('Cache-Control'), 'no-store')
})

test('readyz gives the schema half a second to answer', async () => {
  const isCurrent = async () => (await never()).rows.length > 0
  const { app, clock } = setUp(noRows, { schema: { isCurrent } })
  const answer = app.request('/readyz')
  await tick()
  clock.advance(500)
  assert.match(await (await answer).text(), /schema failed: unknown/)
})

test('readyz fails while draining and names the command while the schema is behind', async () => {
  const draining = setUp(noRows, { state: () => ({ name: 'draining' }) }).app
  assert.match(await (await draining.request('/readyz')).text(), /not-draining failed/)
  const behind = setUp(noRows, { schema: { isCurrent: async () => false } }).app
  assert.match(await (await behind.request('/readyz')).text(), /schema failed: run `npm run migrate`/)
})

test('version says what runs', async () => {
  const answer = await setUp(noRows).app.request('/version')
  assert.deepEqual(await answer.json(), { name: 'still-here', version: '1.2.3', node: '24.0.0' })
})

test('the documentation page loads only its own files, and its policy allows no others', async () => {
  const { app } = setUp(noRows)
  const page = await app.request('/docs')
  const html = await page.text()
  assert.match(page.headers.get('Content-Security-Policy') ?? '', /^default-src 'none'; script-src 'self';/)
  assert.ok(!/style=|<style|<script>|https?:/.test(html))
  const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file)
  assert.deepEqual(files, [
    'docs/favicon-32x32.png',
    'docs/swagger-ui.css',
    'docs/swagger-ui-bundle.js',
    'docs/start.js',
  ])
  const types = await Promise.all(
    files.map(async (file) => (await app.request(`/${file}`)).headers.get('Content-Type')),
  )
  assert.deepEqual(types, [
    'image/png',
    'text/css; charset=utf-8',
    'text/javascript; charset=utf-8',
    'text/javascript; charset=utf-8',
  ])
  assert.match(await (await app.request('/docs/start.js')).text(), /validatorUrl: null/)
})

test('nothing but the listed files is served beside the page', async () => {
  const { app } = setUp(noRows)
  for (const path of [
    '/docs/package.json',
    '/docs/..%2fpackage.json',
    '/docs/swagger-ui.css.map',
    '/docs/index.html',
  ]) {
    assert.equal((await app.request(path)).status, 404, path)
  }
})

async function tick(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}
