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
import type { Database, DB, HealthReport } from '../../db/index.ts'
import { resolvePoolOptions } from '../../db/pool/options.ts'
import { noEvents } from '../../db/pool/stats.ts'
import { createCityLookups } from '../../db/queries/city-lookups.ts'
import { Scope } from '../../db/scope.ts'
import { type AppDeps, createApp } from '../../src/app.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'
import { createManualClock } from './manual-clock.ts'
import { createMemoryLog } from './memory-log.ts'

const scopes = new AsyncLocalStorage<Scope>()

const pool = { total: 0, idle: 0, acquired: 0, waiting: 0, connecting: 0 }
const refused: HealthReport = {
  status: 'fail',
  warnings: ['serverNotAsked', 'connectFailed'],
  reason: 'ECONNREFUSED',
  checked: 0,
  alive: 0,
  evicted: 0,
  opened: 0,
  pool,
}
const healthy: HealthReport = {
  status: 'pass',
  warnings: [],
  checked: 2,
  alive: 2,
  evicted: 0,
  opened: 0,
  pings: { fastestMs: 0.2, slowestMs: 1 },
  server: { version: '9.7.4', isReadOnly: false, maxConnections: 151, roundTripMs: 0.5 },
  pool: { ...pool, total: 2, idle: 2 },
}

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

interface Others extends Partial<AppDeps> {
  readonly health?: HealthReport
  readonly isWedged?: boolean
}

function setUp(
  answer: () => Promise<QueryResult<unknown>>,
  { health = refused, isWedged = false, ...others }: Others = {},
) {
  const clock = createManualClock()
  const { log, lines } = createMemoryLog()
  const kysely = createFakeKysely(answer)
  const runInScope = <T>(scope: Scope, task: () => T) => scopes.run(scope, task)
  const app = createApp({
    database: {
      kysely,
      cities: createCityLookups({
        clock,
        currentScope: () => scopes.getStore(),
        read: async (query) => (await kysely.executeQuery(query)).rows,
        afterPoll: setImmediate,
      }),
      shareRead: (_question, read) => read(),
      createScope: (timeoutMs) => new Scope(clock, timeoutMs),
      runInScope,
      health: async () => health,
      isWedged,
      stats: pool,
      counters: noEvents,
      poolOptions: resolvePoolOptions(),
    } as Partial<Database> as Database, // Just what the routes use.
    schema: { check: async () => Promise.reject(new Error('no database')) },
    state: () => ({ name: 'ready' }),
    readyzDatabase: 'required',
    metrics: createMetrics('sakila'),
    hasMetricsPort: false,
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

test("a kubelet's probes and Prometheus's scrapes are logged at debug only", async () => {
  const { app, lines } = setUp(noRows)
  await app.request('/livez', { headers: { 'User-Agent': 'kube-probe/1.34' } })
  await app.request('/metrics', { headers: { 'User-Agent': 'Prometheus/3.5.0' } })
  assert.deepEqual(
    lines.map(({ level }) => level),
    ['debug', 'debug'],
  )
})

test("metrics come in Prometheus's format with its version, or on a port of their own", async () => {
  const answer = await setUp(noRows).app.request('/metrics?x=1')
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('Content-Type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(await answer.text(), /^build_info\{version="1\.2\.3",node="24\.0\.0",commit=""\} 1$/m)
  const { app } = setUp(noRows, { hasMetricsPort: true })
  assert.equal((await app.request('/metrics')).status, 404)
})

test('each request is counted by the pattern of its route, one that nobody serves too', async () => {
  const { app } = setUp(noRows)
  await app.request('/cities/77?secret=1')
  await app.request('/secret')
  const text = await (await app.request('/metrics')).text()
  const counted = text.split('\n').filter((line) => line.startsWith('http_server_request_duration_seconds_count'))
  assert.deepEqual(
    counted.map((line) => /status_code="(\d+)",http_route="([^"]+)".* (\d+)$/.exec(line)?.slice(1)),
    [
      ['400', '/cities/:cityId', '1'],
      ['404', '/*', '1'],
    ],
  )
  assert.match(text, /^http_server_active_requests\{http_request_method="GET",url_scheme="http"\} 1$/m)
  assert.doesNotMatch(text, /secret/)
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
  const healthz = await app.request('/healthz?x=1')
  assert.equal(healthz.status, 503)
  assert.equal(
    await healthz.text(),
    '[-]database failed: ECONNREFUSED\n' +
      'idle connections: 0 checked, 0 alive, 0 evicted, 0 opened\n' +
      'pool: 0 open, 0 idle, 0 acquired, 0 connecting, 0 waiting\n' +
      'healthz check failed',
  )
  for (const { headers } of [livez, readyz, healthz]) assert.equal(headers.get('Cache-Control'), 'no-store')
})

test('healthz says what was found and done, also as JSON', async () => {
  const text = async (health: HealthReport) => {
    const answer = await setUp(noRows, { health }).app.request('/healthz')
    return [answer.status, await answer.text()]
  }
  assert.deepEqual(await text(healthy), [
    200,
    '[+]database ok: 9.7.4, read-write, 0.5 ms\n' +
      'idle connections: 2 checked, 2 alive, 0 evicted, 0 opened, 0.2 to 1.0 ms\n' +
      'pool: 2 open, 2 idle, 0 acquired, 0 connecting, 0 waiting\n' +
      'healthz check passed',
  ])
  const { server: _, ...withoutServer } = healthy
  const warned = { ...withoutServer, status: 'warn', warnings: ['serverNotAsked', 'connectFailed'] } as const
  const [status, body] = await text({ ...warned, reason: 'ER_CON_COUNT_ERROR' })
  assert.equal(status, 200)
  assert.match(String(body), /^\[\+\]database ok: answers, but not beside the pool: ER_CON_COUNT_ERROR\n/)
  assert.match(String(body), /healthz check passed with warnings: serverNotAsked, connectFailed$/)

  const accepting = { headers: { Accept: 'application/health+json' } }
  const json = await setUp(noRows, { health: healthy }).app.request('/healthz', accepting)
  assert.equal(json.headers.get('Content-Type'), 'application/health+json')
  assert.deepEqual(await json.json(), {
    status: 'pass',
    releaseId: '1.2.3',
    checks: {
      'database:responseTime': [
        {
          componentType: 'datastore',
          status: 'pass',
          observedValue: 0.5,
          observedUnit: 'ms',
          version: '9.7.4',
          isReadOnly: false,
          maxConnections: 151,
        },
      ],
      'pool:connections': [
        {
          componentType: 'datastore',
          status: 'pass',
          observedValue: 2,
          observedUnit: 'connections',
          ...healthy.pool,
          checked: 2,
          alive: 2,
          evicted: 0,
          opened: 0,
          pings: { fastestMs: 0.2, slowestMs: 1 },
        },
      ],
    },
  })
  const failed = await setUp(noRows).app.request('/healthz', accepting)
  assert.equal(failed.status, 503)
  const { output, notes } = (await failed.json()) as Record<string, unknown>
  assert.deepEqual([output, notes], ['ECONNREFUSED', ['serverNotAsked', 'connectFailed']])
})

test('livez fails when the pool is wedged, and only then', async () => {
  const answer = await setUp(noRows, { isWedged: true }).app.request('/livez')
  assert.deepEqual([answer.status, await answer.text()], [503, '[-]pool failed: wedged\nlivez check failed'])
  assert.equal(answer.headers.get('Cache-Control'), 'no-store')
})

test('a schema that has all is asked about again after 2 s, one that lacks something at once', async () => {
  const answers = ['behind', 'current', 'behind', 'current'] as const
  let asked = 0
  const check = async () => ({ name: answers[asked++] ?? 'behind' })
  const { app, clock } = setUp(noRows, { health: healthy, schema: { check } })
  const expectStatus = async (status: number) => assert.equal((await app.request('/readyz')).status, status)
  await expectStatus(503)
  await expectStatus(200)
  clock.advance(1999)
  await expectStatus(200)
  assert.equal(asked, 2)
  clock.advance(1)
  await expectStatus(503)
  await expectStatus(200)
})

test('a schema that had all is not doubted because the database does not say', async () => {
  let asked = 0
  const check = async () => {
    asked += 1
    if (asked === 1) return { name: 'current' as const }
    throw new Error('no connection')
  }
  const { app, clock } = setUp(noRows, { health: healthy, schema: { check } })
  for (const expected of [1, 2, 2]) {
    assert.equal((await app.request('/readyz')).status, 200)
    assert.equal(asked, expected)
    if (expected === 1) clock.advance(2000)
  }
})

test('a traceparent is found again in the lines of its request, a malformed one is not', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const failing = () => Promise.reject(new TypeError('x'))
  const { app, lines } = setUp(failing)
  await app.request('/cities', { headers: { traceparent } })
  await app.request('/cities', { headers: { traceparent: `${traceparent}-more` } })
  const known = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331' }
  assert.deepEqual(
    lines.map(({ message, trace_id, span_id }) => [message, trace_id, span_id]),
    [
      ['answered 500', known.trace_id, known.span_id],
      ['request', known.trace_id, known.span_id],
      ['answered 500', undefined, undefined],
      ['request', undefined, undefined],
    ],
  )
})

test('readyz gives the schema half a second to answer', async () => {
  const check = async () => {
    await never()
    return { name: 'current' as const }
  }
  const { app, clock } = setUp(noRows, { schema: { check } })
  const answer = app.request('/readyz')
  await tick()
  clock.advance(500)
  assert.match(await (await answer).text(), /schema failed: unknown/)
})

test('readyz fails while draining and names the command while the schema is behind', async () => {
  const draining = setUp(noRows, { state: () => ({ name: 'draining' }) }).app
  assert.match(await (await draining.request('/readyz')).text(), /not-draining failed/)
  const behind = setUp(noRows, { schema: { check: async () => ({ name: 'behind' }) } }).app
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
