import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Database, HealthReport } from '../../db/index.ts'
import { resolvePoolOptions } from '../../db/pool/options.ts'
import { createConnectionSumReport, sumConnections } from '../../src/connection-sum.ts'
import { createMemoryLog } from './memory-log.ts'

test('max_connections is for (replicas + maxSurge) x (pool + control + one being replaced), a migration and five more', () => {
  assert.deepEqual(sumConnections(16, 151), { perProcess: 18, maxConnections: 151, processes: 8 })
  assert.equal(sumConnections(16, 18 * 2 + 6).processes, 2)
  assert.equal(sumConnections(16, 18 * 2 + 5).processes, 1)
  assert.equal(sumConnections(16, 5).processes, 0)
})

test('warns once when a rollout would not fit, as soon as the server has said what it allows', async () => {
  const { log, lines } = createMemoryLog()
  const report = createConnectionSumReport(log)
  const server = { version: '9.7.4', isReadOnly: false, maxConnections: 41, roundTripMs: 1 }
  const databaseWith = (health: Partial<HealthReport>) =>
    ({ poolOptions: resolvePoolOptions({ size: 16 }), health: async () => health }) as Partial<Database> as Database
  await report(databaseWith({}))
  assert.deepEqual(lines, [])
  await report(databaseWith({ server }))
  await report(databaseWith({ server }))
  assert.deepEqual(
    lines.map(({ level, processes }) => [level, processes]),
    [['warn', 1]],
  )
})
