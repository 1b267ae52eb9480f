import assert from 'node:assert/strict'
import { test } from 'vitest'
import { type PoolOptions, PoolOptionsError, poolSettings, resolvePoolOptions } from '../../../db/pool/options.ts'

const defaults: PoolOptions = {
  size: 16,
  minIdle: 1,
  acquireTimeoutMs: 5_000,
  maxWaiting: 10_000,
  connectTimeoutMs: 2_000,
  handshakeTimeoutMs: 30_000,
  passwordTimeoutMs: 5_000,
  resetTimeoutMs: 1_000,
  validateAfterIdleMs: 500,
  validationTimeoutMs: 250,
  keepaliveMs: 30_000,
  idleTimeoutMs: 600_000,
  maxLifetimeMs: 1_800_000,
  wedgedAfterMs: 30_000,
}

function faultsOf(given: Partial<PoolOptions>): readonly string[] {
  try {
    resolvePoolOptions(given)
    return []
  } catch (error) {
    assert.ok(error instanceof PoolOptionsError)
    return error.faults
  }
}

test('what is left out, or undefined, has its default, and nobody can change it later', () => {
  assert.deepEqual(resolvePoolOptions(), defaults)
  const given: object = { size: undefined, minIdle: 2 } // as JavaScript callers do
  assert.deepEqual(resolvePoolOptions(given), { ...defaults, minIdle: 2 })
  assert.equal(Object.isFrozen(resolvePoolOptions()), true)
})

test('the table has each setting once, with a default in its range', () => {
  assert.equal(poolSettings.length, Object.keys(defaults).length)
  assert.deepEqual(new Set(poolSettings.map(({ name }) => name)), new Set(Object.keys(defaults)))
  for (const { name, default: value, min, max } of poolSettings) assert.ok(value >= min && value <= max, name)
})

test('both ends of each range are accepted and what lies beyond is not', () => {
  const rest = { minIdle: 0, acquireTimeoutMs: 60_000, connectTimeoutMs: 50, validationTimeoutMs: 10, keepaliveMs: 100 }
  const wide = { ...rest, idleTimeoutMs: 100, maxLifetimeMs: 86_400_000 }
  assert.deepEqual(faultsOf({ ...wide, size: 1 }), [])
  assert.deepEqual(faultsOf({ ...wide, size: 1_000 }), [])
  assert.deepEqual(faultsOf({ ...wide, size: 0 }), ['size must be an integer from 1 to 1000, got 0'])
  assert.deepEqual(faultsOf({ ...wide, size: 1_001 }), ['size must be an integer from 1 to 1000, got 1001'])
  assert.deepEqual(faultsOf({ ...wide, connectTimeoutMs: 30_000 }), [])
  assert.deepEqual(faultsOf({ ...wide, connectTimeoutMs: 49 }), [
    'connectTimeoutMs must be an integer from 50 to 30000, got 49',
  ])
  assert.deepEqual(faultsOf({ ...wide, connectTimeoutMs: 30_001, handshakeTimeoutMs: 300_000 }), [
    'connectTimeoutMs must be an integer from 50 to 30000, got 30001',
  ])
})

test('fractions, NaN and texts are refused, not rounded', () => {
  for (const size of [1.5, Number.NaN, '8' as unknown as number]) {
    assert.deepEqual(faultsOf({ size }).length, 1)
  }
})

test('settings that contradict each other are all named at once, and equal ones are fine', () => {
  assert.deepEqual(
    faultsOf({
      size: 4,
      minIdle: 5,
      acquireTimeoutMs: 200,
      connectTimeoutMs: 2_001,
      handshakeTimeoutMs: 2_000,
      validationTimeoutMs: 201,
      keepaliveMs: 1_001,
      idleTimeoutMs: 1_000,
      maxLifetimeMs: 999,
    }),
    [
      'minIdle must be at most size (4), got 5',
      'connectTimeoutMs must be at most handshakeTimeoutMs (2000), got 2001',
      'validationTimeoutMs must be at most acquireTimeoutMs (200), got 201',
      'keepaliveMs must be at most idleTimeoutMs (1000), got 1001',
      'idleTimeoutMs must be at most maxLifetimeMs (999), got 1000',
    ],
  )
  const equal = { acquireTimeoutMs: 250, connectTimeoutMs: 250, handshakeTimeoutMs: 250, validationTimeoutMs: 250 }
  assert.deepEqual(
    faultsOf({ size: 4, minIdle: 4, ...equal, keepaliveMs: 1_000, idleTimeoutMs: 1_000, maxLifetimeMs: 1_000 }),
    [],
  )
})
