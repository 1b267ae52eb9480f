import assert from 'node:assert/strict'
import { test } from 'vitest'
import { systemClock } from '../../../db/clock.ts'
import { createHealthCheck, toReport } from '../../../db/health.ts'
import { resolvePoolOptions } from '../../../db/pool/options.ts'
import type { PoolCheck } from '../../../db/pool/pool-check.ts'
import { ResilientPool } from '../../../db/pool/resilient-pool.ts'
import { createManualClock } from '../../src/manual-clock.ts'
import { createFakeConnector } from './fake-connection.ts'

const clean = { isTransactionOpen: false, isDirty: false }
const stats = { total: 0, idle: 0, acquired: 0, waiting: 0, connecting: 0 }
const well: PoolCheck = {
  checked: 2,
  alive: 2,
  evicted: 0,
  opened: 0,
  pingsMs: [3, 1, 2],
  server: { version: '9.7.4', isReadOnly: false, maxConnections: 151 },
  serverMs: 4,
  isAnswering: true,
  lastFailure: undefined,
}

async function openPool(size: number) {
  const { connector, raws, turn, link } = createFakeConnector(systemClock)
  const deps = { connector, clock: systemClock, turn, link, random: () => 0.5, onEvent: () => {} }
  const pool = new ResilientPool(resolvePoolOptions({ size, minIdle: 1, validationTimeoutMs: 50 }), deps)
  const connections = await Promise.all(Array.from({ length: size }, () => pool.acquire()))
  return { pool, raws, connections }
}

test('pings idle connections only, and reports each', async () => {
  const { pool, raws, connections } = await openPool(3)
  const [held, ...others] = connections
  for (const connection of others) pool.release(connection, clean)
  for (const raw of raws) raw.statements.length = 0
  const { checked, alive, evicted, opened, pingsMs } = await pool.check()
  assert.deepEqual([checked, alive, evicted, opened, pingsMs.length], [2, 2, 0, 0, 2])
  assert.equal(pool.stats.acquired, 1)
  assert.deepEqual(raws[(held?.session.id ?? 0) - 1]?.statements, [])
  await pool.close({ deadlineMs: 0 })
})

test('evicts idle connections that do not answer, and opens others in their place', async () => {
  const { pool, raws, connections } = await openPool(3)
  for (const connection of connections) pool.release(connection, clean)
  const silent = connections.slice(0, 2).map(({ session }) => raws[session.id - 1])
  for (const raw of silent) if (raw) raw.isAnswering = false
  const { checked, alive, evicted, opened } = await pool.check()
  assert.deepEqual([checked, alive, evicted, opened], [3, 1, 2, 2])
  assert.equal(pool.stats.total, 3)
  await pool.close({ deadlineMs: 0 })
})

test('one check at a time; its report is shared for a second from its start', async () => {
  const clock = createManualClock()
  const pending: PromiseWithResolvers<PoolCheck>[] = []
  const check = () => {
    const next = Promise.withResolvers<PoolCheck>()
    pending.push(next)
    return next.promise
  }
  const health = createHealthCheck({ stats, check }, clock)
  const first = health()
  clock.advance(2000)
  const second = health()
  assert.equal(pending.length, 1)
  pending[0]?.resolve(well)
  assert.equal(await first, await second)
  const third = health()
  assert.equal(pending.length, 2)
  pending[1]?.resolve(well)
  await third
  clock.advance(999)
  assert.equal(await health(), await third)
  clock.advance(1)
  void health()
  assert.equal(pending.length, 3)
})

test('passes when all is well', () => {
  assert.deepEqual(toReport(well, stats), {
    status: 'pass',
    warnings: [],
    checked: 2,
    alive: 2,
    evicted: 0,
    opened: 0,
    pings: { fastestMs: 1, slowestMs: 3 },
    server: { version: '9.7.4', isReadOnly: false, maxConnections: 151, roundTripMs: 4 },
    pool: stats,
  })
})

test('warns of what is amiss as long as the database answers, and says why by code', () => {
  const full = Object.assign(new Error('Too many connections on db.internal'), { code: 'ER_CON_COUNT_ERROR' })
  const lost = { server: undefined, serverMs: undefined, lastFailure: full }
  const cases: [Partial<PoolCheck>, object][] = [
    [{ evicted: 1 }, { status: 'warn', warnings: ['connectionsEvicted'], reason: undefined }],
    [
      { server: { version: '9.7.4', isReadOnly: true, maxConnections: 151 } },
      { status: 'warn', warnings: ['readOnly'], reason: undefined },
    ],
    [lost, { status: 'warn', warnings: ['serverNotAsked', 'connectFailed'], reason: 'ER_CON_COUNT_ERROR' }],
    [
      { ...lost, isAnswering: false },
      { status: 'fail', warnings: ['serverNotAsked', 'connectFailed'], reason: 'ER_CON_COUNT_ERROR' },
    ],
    [
      { ...lost, isAnswering: false, lastFailure: undefined },
      { status: 'fail', warnings: ['serverNotAsked'], reason: 'NO_ANSWER' },
    ],
  ]
  for (const [found, expected] of cases) {
    const { status, warnings, reason } = toReport({ ...well, ...found }, stats)
    assert.deepEqual({ status, warnings, reason }, expected)
  }
})
