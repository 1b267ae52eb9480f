import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { HealthReport } from '../../db/index.ts'
import { judgeReadiness, readinessText } from '../../src/readiness.ts'

const ready = { name: 'ready' } as const
const pool = { total: 1, idle: 1, acquired: 0, waiting: 0, connecting: 0 }
const pass: HealthReport = { pool, status: 'pass', roundTripMs: 1, serverVersion: '9.7.4', isReadOnly: false }
const failing = (...parts: Parameters<typeof judgeReadiness>) =>
  judgeReadiness(...parts)
    .filter(({ isOk }) => !isOk)
    .map(({ name, reason }) => (reason ? `${name}: ${reason}` : name))

test('is ready when started, not draining, with a usable database of the right schema', () => {
  assert.deepEqual(failing(ready, pass, 'current'), [])
})

test('names each thing that is missing', () => {
  assert.deepEqual(failing({ name: 'starting' }, pass, 'current'), ['started'])
  assert.deepEqual(failing({ name: 'draining' }, pass, 'current'), ['not-draining'])
  assert.deepEqual(failing({ name: 'stopped' }, pass, 'current'), ['not-draining'])
  assert.deepEqual(failing(ready, pass, 'behind'), ['schema: run `npm run migrate`'])
  assert.deepEqual(failing(ready, { pool, status: 'fail', reason: 'ECONNREFUSED' }, 'unknown'), [
    'database: ECONNREFUSED',
    'schema: unknown',
  ])
})

test('says one word when all is well, and every check when asked or when one failed', () => {
  const well = judgeReadiness(ready, pass, 'current')
  assert.equal(readinessText(well, false), 'ok')
  assert.equal(
    readinessText(well, true),
    '[+]started ok\n[+]not-draining ok\n[+]database ok\n[+]schema ok\nreadyz check passed',
  )
  assert.equal(
    readinessText(judgeReadiness({ name: 'draining' }, pass, 'behind'), false),
    '[+]started ok\n[-]not-draining failed\n[+]database ok\n[-]schema failed: run `npm run migrate`\nreadyz check failed',
  )
})
