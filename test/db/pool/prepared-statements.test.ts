import assert from 'node:assert/strict'
import { TypedParameter } from 'mysql2'
import { test } from 'vitest'
import { StatementFailure } from '../../../db/pool/connection.ts'
import { areBindable, bind, MAX_PREPARED_STATEMENTS } from '../../../db/pool/prepared-statements.ts'
import { Scope } from '../../../db/scope.ts'
import { createManualClock } from '../../src/manual-clock.ts'
import { createFakeConnector } from './fake-connection.ts'

const SQL = 'select ?'

async function open() {
  const clock = createManualClock()
  const { connector, raws } = createFakeConnector(clock)
  const connection = await connector.connect({ onDeath: () => {} }).connection
  const [raw] = raws
  assert.ok(raw)
  const toPreparable = () => ({ integersAtEnd: 0 })
  const run = (sql = SQL, scope?: Scope, value: unknown = 'a') => connection.run(sql, [value], { scope, toPreparable })
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

test('only what says that it cannot be prepared is followed by the text', async () => {
  for (const errno of [1243, 1295, 1390, 1461, 1615, 1064]) {
    const { raw, run } = await open()
    await run()
    raw.prepareErrors.push({ errno })
    await run()
    assert.deepEqual(raw.statements, [SQL, `PREPARE ${SQL}`, SQL], String(errno))
  }
})

test("any other answer to PREPARE is the statement's own, and nothing of it runs", async () => {
  for (const [errno, outcome] of [
    [1213, 'rolledBack'],
    [1205, 'failed'],
    [1146, 'failed'],
    [1047, 'refused'],
    [1180, 'notSent'],
    [1053, 'notSent'],
  ] as const) {
    const { raw, run } = await open()
    await run()
    raw.prepareErrors.push({ errno })
    await assert.rejects(run(), outcomeIs(outcome), String(errno))
    assert.deepEqual(raw.statements, [SQL, `PREPARE ${SQL}`])
  }
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
  const refused = [2.5, -1, Number.NaN, 2 ** 53, true, undefined, new Date(0), -1n, 2n ** 63n, { a: 1 }, [1]]
  for (const value of refused) {
    assert.equal(areBindable(['a', value]), false, String(value))
  }
  assert.equal(areBindable([]), false)
  assert.equal(areBindable(['a', null, Buffer.from('b'), 0, 2 ** 53 - 1, 2n ** 63n - 1n]), true)
})

test('integers are bound as such, save those of LIMIT and OFFSET, which cost less as they are', () => {
  const integer = TypedParameter.BIGINT
  assert.deepEqual(bind(['a', null, 1, 2, 3n], { integersAtEnd: 0 }), ['a', null, integer(1), integer(2), integer(3n)])
  assert.deepEqual(bind(['a', 1, 2, 3], { integersAtEnd: 2 }), ['a', integer(1), 2, 3])
  // As a string, which mysql2 makes of it, no server takes it there.
  assert.deepEqual(bind([1, 2n], { integersAtEnd: 2 }), [1, integer(2n)])
})

test('a value of another kind than the server has prepared for goes as text', async () => {
  const { raw, run } = await open()
  for (const value of ['a', 'b', 5, Buffer.from('c'), null, 'd']) await run(SQL, undefined, value)
  assert.deepEqual(raw.statements, [
    SQL,
    `PREPARE ${SQL}`,
    `EXECUTE ${SQL}`,
    SQL,
    SQL,
    `EXECUTE ${SQL}`,
    `EXECUTE ${SQL}`,
  ])
})

test('a text that may not be prepared never is, and its nodes are looked at once', async () => {
  const { connection, raw } = await open()
  let asked = 0
  const toPreparable = () => {
    asked += 1
    return undefined
  }
  for (let count = 0; count < 4; count += 1) await connection.run(SQL, ['a'], { toPreparable })
  assert.deepEqual([raw.statements, asked], [[SQL, SQL, SQL, SQL], 1])
})

test('a statement with a FLOAT in its rows is asked again as text, and from then on', async () => {
  const { raw, run } = await open()
  await run()
  raw.columns = [{ columnType: 4, characterSet: 63, flags: 0 }]
  raw.statements.length = 0
  for (let count = 0; count < 2; count += 1) await run()
  assert.deepEqual(raw.statements, [`PREPARE ${SQL}`, `EXECUTE ${SQL}`, `CLOSE ${SQL}`, SQL, SQL])
})

test('LIMIT is executed with integers only: as text it takes nothing else', async () => {
  const { connection, raw } = await open()
  const run = (limit: unknown) => connection.run(SQL, [limit], { toPreparable: () => ({ integersAtEnd: 1 }) })
  for (const limit of ['1', '2', '3', null]) await run(limit)
  assert.deepEqual(raw.statements, [SQL, `PREPARE ${SQL}`, SQL, SQL, SQL])
})
