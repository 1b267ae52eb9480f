import assert from 'node:assert/strict'
import { test } from 'vitest'
import { resolvePoolOptions } from '../../db/pool/options.ts'
import { noEvents } from '../../db/pool/stats.ts'
import { createMetrics } from '../../src/metrics/metrics.ts'

function setUp() {
  const metrics = createMetrics('sakila')
  const database = {
    stats: { total: 5, idle: 2, acquired: 3, waiting: 4, connecting: 0 },
    counters: { ...noEvents, acquireTimeouts: 6, retried: 7, evicted: { lost: 8 } },
    poolOptions: resolvePoolOptions({ size: 9, minIdle: 2 }),
  }
  const version = { name: 'still-here', version: '1.2.3', node: '24.0.0', commit: 'abcdef0' }
  metrics.watch({ database, state: () => ({ name: 'draining' }), isReady: async () => false, version })
  const lines = async (name: string) =>
    (await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith(name))
  return { metrics, lines }
}

const pool = 'db_client_connection_pool_name="sakila"'

test('counts requests by method, pattern and status, in cumulative buckets of seconds', async () => {
  const { metrics, lines } = setUp()
  for (const ms of [4, 5, 6, 20_000]) {
    metrics.requests.started('GET')
    metrics.requests.ended({ method: 'GET', route: '/cities/:cityId', status: 200, ms })
  }
  const labels =
    'http_request_method="GET",http_response_status_code="200",http_route="/cities/:cityId",url_scheme="http",error_type=""'
  const found = await lines('http_server_request_duration_seconds')
  assert.equal(found[0], `http_server_request_duration_seconds_bucket{${labels},le="0.005"} 2`)
  assert.equal(found[1], `http_server_request_duration_seconds_bucket{${labels},le="0.01"} 3`)
  assert.deepEqual(found.slice(13), [
    `http_server_request_duration_seconds_bucket{${labels},le="10"} 3`,
    `http_server_request_duration_seconds_bucket{${labels},le="+Inf"} 4`,
    `http_server_request_duration_seconds_sum{${labels}} 20.015`,
    `http_server_request_duration_seconds_count{${labels}} 4`,
  ])
})

test('a method that a client made up is _OTHER, and 5xx has an error type', async () => {
  const { metrics, lines } = setUp()
  metrics.requests.started('BREW')
  metrics.requests.started('PROPFIND')
  metrics.requests.ended({ method: 'PROPFIND', route: '/*', status: 503, ms: 1 })
  const labels =
    'http_request_method="_OTHER",http_response_status_code="503",http_route="/*",url_scheme="http",error_type="503"'
  assert.deepEqual(await lines('http_server_request_duration_seconds_count'), [
    `http_server_request_duration_seconds_count{${labels}} 1`,
  ])
  const active = await lines('http_server_active_requests')
  assert.equal(active.length, 10)
  assert.ok(active.includes('http_server_active_requests{http_request_method="_OTHER",url_scheme="http"} 1'))
})

test('counts statements by server, operation and error code, and knows no more than 50 codes', async () => {
  const { metrics, lines } = setUp()
  const ran = (kind: string, error?: unknown) => metrics.uses.ran({ flavour: 'mariadb', kind, ms: 1, error })
  ran('SelectQueryNode')
  ran('InsertQueryNode', Object.assign(new Error('Duplicate entry "secret"'), { code: 'ER_DUP_ENTRY', errno: 1062 }))
  for (let index = 0; index < 100; index += 1) ran('RawNode', Object.assign(new Error(), { code: `ER_${index}` }))
  const found = await lines('db_client_operation_duration_seconds_count')
  const line = (operation: string, error: string, count: number) =>
    `db_client_operation_duration_seconds_count{db_system_name="mariadb",db_operation_name="${operation}",error_type="${error}"} ${count}`
  assert.equal(found[0], line('SELECT', '', 1))
  assert.equal(found[1], line('INSERT', 'ER_DUP_ENTRY', 1))
  assert.equal(found.length, 2 + 49 + 1)
  assert.equal(found.at(-1), line('_OTHER', '_OTHER', 51))
})

test('reads gauges and counters when it is scraped, each known value of a label among them', async () => {
  const { metrics, lines } = setUp()
  metrics.onPoolEvent({ name: 'outageStarted', cause: undefined })
  metrics.onPoolEvent({ name: 'pinged', durationMs: 250, isAlive: false })
  metrics.uses.waited(0)
  metrics.uses.held(2)
  metrics.onPoolEvent({ name: 'opened', durationMs: 3 })
  const expected = [
    `db_client_connection_count{${pool},db_client_connection_state="idle"} 2`,
    `db_client_connection_count{${pool},db_client_connection_state="used"} 3`,
    `db_client_connection_max{${pool}} 9`,
    `db_client_connection_idle_min{${pool}} 2`,
    `db_client_connection_pending_requests{${pool}} 4`,
    `db_client_connection_timeouts_total{${pool}} 6`,
    `db_client_connection_wait_time_seconds_count{${pool}} 1`,
    `db_client_connection_use_time_seconds_sum{${pool}} 0.002`,
    `db_client_connection_create_time_seconds_sum{${pool}} 0.003`,
    'pool_evicted_total{reason="lost"} 8',
    'pool_evicted_total{reason="validationFailed"} 0',
    'pool_retried_total 7',
    'pool_refused_total 0',
    'pool_unknown_outcomes_total 0',
    'pool_connect_failures_total 0',
    'pool_ping_duration_seconds_count{result="alive"} 0',
    'pool_ping_duration_seconds_count{result="dead"} 1',
    'pool_outage 1',
    'app_draining 1',
    'app_ready 0',
    'build_info{version="1.2.3",node="24.0.0",commit="abcdef0"} 1',
  ]
  const all = [...(await lines('')), ...(await lines(''))] // scraping twice counts nothing twice
  assert.deepEqual(
    expected.filter((line) => all.filter((other) => other === line).length !== 2),
    [],
  )
  metrics.onPoolEvent({ name: 'outageEnded', durationMs: 1, attempts: 1 })
  assert.deepEqual(await lines('pool_outage'), ['pool_outage 0'])
})
