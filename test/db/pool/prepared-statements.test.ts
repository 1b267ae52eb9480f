import assert from 'node:assert/strict'
import { test } from 'vitest'
import { StatementFailure } from '../../../db/pool/connection.ts'
import { MAX_PREPARED_STATEMENTS, toBoundParameters } from '../../../db/pool/prepared-statements.ts'
import { Scope } from '../../../db/scope.ts'
import { createManualClock } from '../../src/manual-clock.ts'
import { createFakeConnector } from './fake-connection.ts'

const SQL = 'select ?'

async function open() {
  const clock = createManualClock()
  const { connect, raws } = createFakeConnector(clock)
  const connection = await connect(() => {})
  const [raw] = raws
  assert.ok(raw)
  const run = (sql = SQL, scope?: Scope) => connection.run(sql, ['a'], { scope, mayPrepare: true })
  return { clock, connection, raw, run }
}

const outcomeIs = (outcome: string) => (error: unknown) =>
  error instanceof StatementFailure && error.verdict.outcome === outcome

test('a statement is prepared the second time, and executed from then on', async () => {
  const { raw, run } = await open()
  for (let count = 0; count < 3; count += 1) await run()
  assert.deepEqual(raw.statements, [SQL, `PREPARE ${SQL}`, `EXECUTE ${SQL}`, `EXECUTE ${SQL}`])
})

test('what the server does not prepare goes as text, and is not tried again', async () => {
  const { raw, run } = await open()
  raw.prepareErrors.push({ errno: 1295 })
  for (let count = 0; count < 3; count += 1) await run()
  assert.deepEqual(raw.statements, [SQL, `PREPARE ${SQL}`, SQL, SQL])
})

test('a statement that the server forgot goes as text, and is prepared anew later on', async () => {
  const { raw, run } = await open()
  await run()
  await run()
  raw.statements.length = 0
  raw.executeErrors.push({ errno: 1243 })
  for (let count = 0; count < 3; count += 1) await run()
  assert.deepEqual(raw.statements, [`EXECUTE ${SQL}`, `CLOSE ${SQL}`, SQL, SQL, `PREPARE ${SQL}`, `EXECUTE ${SQL}`])
})

test('a forgotten statement whose caller has left is not started again', async () => {
  const { clock, connection, raw, run } = await open()
  await run()
  await run()
  raw.statements.length = 0
  raw.executeErrors.push({ errno: 1243 })
  const scope = new Scope(clock, 1000)
  const left = run(SQL, scope)
  scope.abort(new Error('left'))
  await assert.rejects(left, { message: 'left' })
  assert.equal(await connection.waitUntilQuiet(1000), true)
  assert.deepEqual(raw.statements, [`EXECUTE ${SQL}`, `CLOSE ${SQL}`])
})

test('of too many statements the one unused for longest is closed', async () => {
  const { raw, run } = await open()
  for (let count = 0; count < 2; count += 1) await run('select ? as hot')
  for (let number = 0; number < MAX_PREPARED_STATEMENTS; number += 1) {
    for (let count = 0; count < 2; count += 1) await run(`select ? as n${number}`)
    await run('select ? as hot')
  }
  assert.deepEqual(
    raw.statements.filter((statement) => statement.startsWith('CLOSE')),
    ['CLOSE select ? as n0'],
  )
})

test('a connection lost during PREPARE has not sent the statement; during EXECUTE it may have run', async () => {
  for (const [runsBefore, outcome] of [
    [1, 'notSent'],
    [2, 'unknown'],
  ] as const) {
    const { raw, run } = await open()
    for (let count = 0; count < runsBefore; count += 1) await run()
    raw.isAnswering = false
    const lost = run()
    raw.lose()
    await assert.rejects(lost, outcomeIs(outcome))
  }
})

test('a caller who leaves during PREPARE has nothing executed, and the connection is quiet again', async () => {
  const { clock, connection, raw, run } = await open()
  await run()
  const scope = new Scope(clock, 1000)
  const left = run(SQL, scope)
  scope.abort(new Error('left'))
  await assert.rejects(left, { message: 'left' })
  assert.equal(await connection.waitUntilQuiet(1000), true)
  assert.deepEqual(raw.statements, [SQL, `PREPARE ${SQL}`])
})

test('values that a prepared statement would take for something else go as text', () => {
  for (const value of [2.5, -1, Number.NaN, 1e15, true, undefined, new Date(0), -1n, 2n ** 63n, { a: 1 }, [1]]) {
    assert.equal(toBoundParameters(['a', value]), undefined, String(value))
  }
  assert.equal(toBoundParameters([]), undefined)
  assert.deepEqual(toBoundParameters(['a', null, Buffer.from('b')]), ['a', null, Buffer.from('b')])
  assert.equal(toBoundParameters([0, 1e15 - 1, 2n ** 63n - 1n])?.length, 3)
})
