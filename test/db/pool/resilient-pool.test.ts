import assert from 'node:assert/strict'
import { afterEach, test, vi } from 'vitest'
import { systemClock } from '../../../db/clock.ts'
import { type PoolOptions, resolvePoolOptions } from '../../../db/pool/options.ts'
import { ResilientPool } from '../../../db/pool/resilient-pool.ts'
import type { PoolEvent } from '../../../db/pool/stats.ts'
import { createManualClock } from '../../src/manual-clock.ts'
import { createFakeConnector } from './fake-connection.ts'

const clean = { isTransactionOpen: false, isDirty: false }
const turnOfTheLoop = () => new Promise<void>((resolve) => setImmediate(resolve))

afterEach(() => {
  vi.useRealTimers()
})

/** A pool over fake connections, and the clock that it goes by. */
function createPool(given: Partial<PoolOptions>, random = () => 0.5) {
  const clock = createManualClock()
  const events: (PoolEvent & { readonly atMs: number })[] = []
  const { connector, raws, turn, link, server } = createFakeConnector(clock)
  const onEvent = (event: PoolEvent) => events.push({ ...event, atMs: clock.now() })
  const pool = new ResilientPool(resolvePoolOptions(given), { connector, clock, turn, link, random, onEvent })
  /** In steps, since what a timer starts is done in later turns of the loop. */
  const advance = async (ms: number, stepMs = 50) => {
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      clock.advance(stepMs)
      for (let turns = 0; turns < 4; turns += 1) await turnOfTheLoop()
    }
  }
  const namesOf = (name: 'opened' | 'evicted') => events.filter((event) => event.name === name)
  return { pool, raws, server, events, advance, namesOf }
}

const tenSeconds = { keepaliveMs: 5_000, idleTimeoutMs: 10_000, maxLifetimeMs: 10_000 }

test('#39 a connection in use is not interrupted by the end of its lifetime, and goes at its release', async () => {
  const { pool, advance, namesOf } = createPool({ size: 2, minIdle: 1, ...tenSeconds })
  const held = await pool.acquire()
  await advance(15_000)
  assert.equal(held.isDead, false)
  assert.deepEqual(await held.run('SELECT 1', []), [])
  assert.equal(pool.stats.total, 2) // its successor is there already
  pool.release(held, clean)
  assert.deepEqual(
    namesOf('evicted').map((event) => 'reason' in event && event.reason),
    ['maxLifetime'],
  )
  assert.equal(pool.stats.total, 1)
})

test('#39 an idle connection past its lifetime is replaced before it is closed', async () => {
  const { pool, events, advance } = createPool({ size: 1, minIdle: 1, ...tenSeconds })
  pool.release(await pool.acquire(), clean)
  await advance(9_900)
  const before = events.length
  await advance(500)
  // The control connection was opened with the first one.
  assert.deepEqual(
    events
      .slice(before)
      .map(({ name }) => name)
      .filter((name) => name !== 'pinged'),
    ['opened', 'evicted'],
  )
  assert.equal(pool.stats.total, 1)
})

test('#39 a successor whose predecessor died before it came takes its place, and is not retired itself', async () => {
  const { pool, raws, server, advance, namesOf } = createPool({ size: 1, minIdle: 1, ...tenSeconds })
  pool.release(await pool.acquire(), clean)
  const [first] = raws
  await advance(9_900)
  const connected = Promise.withResolvers<void>()
  server.isReachable = connected.promise
  await advance(500) // the successor is under way
  assert.equal(pool.stats.connecting, 1)
  first?.lose()
  connected.resolve()
  await advance(500)
  pool.release(await pool.acquire(), clean)
  assert.equal(pool.stats.total, 1)
  assert.deepEqual(
    namesOf('evicted').map((event) => 'reason' in event && event.reason),
    ['lost'],
  )
})

test('#40 50 connections opened together are retired over at least a tenth of their lifetime', async () => {
  let drawn = 0
  const random = () => (drawn++ % 50) / 50
  const limits = { keepaliveMs: 200_000, idleTimeoutMs: 400_000, maxLifetimeMs: 400_000 }
  const { pool, advance, namesOf } = createPool({ size: 50, minIdle: 50, acquireTimeoutMs: 60_000, ...limits }, random)
  const opening = Array.from({ length: 50 }, () => pool.acquire())
  await advance(6_000)
  for (const connection of await Promise.all(opening)) pool.release(connection, clean)
  await advance(480_000, 250)
  const atMs = namesOf('evicted').map((event) => event.atMs)
  assert.ok(atMs.length >= 50, `${atMs.length} retired`)
  assert.ok(Math.max(...atMs) - Math.min(...atMs) >= 40_000, `${Math.max(...atMs) - Math.min(...atMs)} ms`)
  assert.equal(pool.stats.total, 50)
})

test('#41 the clock of the pool knows nothing of a wall clock that is set', () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const beforeMs = systemClock.now()
  for (const hours of [1, -2]) {
    vi.setSystemTime(Date.now() + hours * 3_600_000)
    assert.ok(systemClock.now() - beforeMs < 1_000)
    assert.ok(systemClock.now() >= beforeMs)
  }
})

test('#41 a wall clock that jumps an hour evicts nothing and keeps nothing longer', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const { pool, advance, namesOf } = createPool({ size: 2, minIdle: 1, ...tenSeconds })
  pool.release(await pool.acquire(), clean)
  vi.setSystemTime(Date.now() + 3_600_000)
  await advance(9_000)
  assert.equal(namesOf('evicted').length, 0)
  vi.setSystemTime(Date.now() - 7_200_000)
  await advance(1_500)
  assert.deepEqual(
    namesOf('evicted').map((event) => 'reason' in event && event.reason),
    ['maxLifetime'],
  )
})

test('idle connections are closed at idleTimeoutMs, down to minIdle', async () => {
  const { pool, advance } = createPool({
    size: 4,
    minIdle: 1,
    keepaliveMs: 500,
    idleTimeoutMs: 1_000,
    maxLifetimeMs: 60_000,
  })
  const held = await Promise.all(Array.from({ length: 4 }, () => pool.acquire()))
  for (const connection of held) pool.release(connection, clean)
  await advance(950)
  assert.equal(pool.stats.total, 4)
  await advance(300)
  assert.equal(pool.stats.total, 1)
})

test('a connection is released once', async () => {
  const { pool } = createPool({ size: 1 })
  const connection = await pool.acquire()
  pool.release(connection, clean)
  assert.throws(() => pool.release(connection, clean), { message: /not acquired/ })
})
