import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { HealthReport } from '../../db/index.ts'
import { judgeReadiness, type Readiness, readinessText } from '../../src/readiness.ts'

const healthy: HealthReport = {
  status: 'pass',
  warnings: [],
  checked: 1,
  alive: 1,
  evicted: 0,
  opened: 0,
  pool: { total: 1, idle: 1, acquired: 0, waiting: 0, connecting: 0 },
}
const refused: HealthReport = { ...healthy, status: 'fail', warnings: ['connectFailed'], reason: 'ECONNREFUSED' }
const well: Readiness = {
  state: { name: 'ready' },
  health: healthy,
  schema: { name: 'current' },
  databasePolicy: 'required',
}
const behind = { name: 'behind' } as const
const failing = (others: Partial<Readiness>) =>
  judgeReadiness({ ...well, ...others })
    .filter(({ isOk }) => !isOk)
    .map(({ name, reason }) => (reason ? `${name}: ${reason}` : name))

test('is ready when started, not draining, with a usable database of the right schema', () => {
  assert.deepEqual(failing({}), [])
  assert.deepEqual(failing({ health: { ...healthy, status: 'warn', warnings: ['readOnly'] } }), [])
})

test('names each thing that is missing', () => {
  assert.deepEqual(failing({ state: { name: 'starting' } }), ['started'])
  assert.deepEqual(failing({ state: { name: 'draining' } }), ['not-draining'])
  assert.deepEqual(failing({ state: { name: 'stopped' } }), ['not-draining'])
  assert.deepEqual(failing({ schema: behind }), ['schema: run `npm run migrate`'])
  assert.deepEqual(failing({ health: refused, schema: undefined }), ['database: ECONNREFUSED', 'schema: unknown'])
})

test('says which table, column or right is missing', () => {
  const reasonOf = (lacks: 'table' | 'column' | 'right', table?: string) =>
    failing({ schema: { name: 'unusable', lacks, ...(table && { table }) } })
  assert.deepEqual(reasonOf('table', 'city'), ['schema: there is no table city'])
  assert.deepEqual(reasonOf('column', 'city'), ['schema: a column of city is missing'])
  assert.deepEqual(reasonOf('right', 'kysely_migration'), [
    'schema: the database account may not SELECT from kysely_migration',
  ])
  assert.deepEqual(reasonOf('right'), ['schema: the database account may not SELECT from a table'])
})

test('with READYZ_DATABASE=off a database that says nothing is no reason, an old schema is', () => {
  const databasePolicy = 'off'
  assert.deepEqual(failing({ databasePolicy, health: refused, schema: undefined }), [])
  assert.deepEqual(failing({ databasePolicy, schema: behind }), ['schema: run `npm run migrate`'])
  assert.deepEqual(failing({ databasePolicy, state: { name: 'draining' } }), ['not-draining'])
})

test('says one word when all is well, and every check when asked or when one failed', () => {
  const checks = judgeReadiness(well)
  assert.equal(readinessText(checks, false), 'ok')
  assert.equal(
    readinessText(checks, true),
    '[+]started ok\n[+]not-draining ok\n[+]database ok\n[+]schema ok\nreadyz check passed',
  )
  assert.equal(
    readinessText(judgeReadiness({ ...well, state: { name: 'draining' }, schema: behind }), false),
    '[+]started ok\n[-]not-draining failed\n[+]database ok\n[-]schema failed: run `npm run migrate`\nreadyz check failed',
  )
})
