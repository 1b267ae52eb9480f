import assert from 'node:assert/strict'
import { test } from 'vitest'
import { DeadlineExceededError } from '../../db/index.ts'
import { describeError } from '../../src/log.ts'

test("of a driver's error only code, errno and sqlState are logged: its message and its SQL carry values", () => {
  const error = Object.assign(new Error("Duplicate entry 'secret'"), {
    code: 'ER_DUP_ENTRY',
    errno: 1062,
    sqlState: '23000',
    sql: "insert into city values ('secret')",
    sqlMessage: "Duplicate entry 'secret'",
  })
  assert.deepEqual(describeError(error), { type: 'Error', code: 'ER_DUP_ENTRY', errno: 1062, sqlState: '23000' })
  const wrapped = new TypeError('outer', { cause: error })
  assert.ok(!JSON.stringify(describeError(wrapped)).includes('secret'))
  assert.ok(JSON.stringify(describeError(wrapped)).includes('ER_DUP_ENTRY'))
})

test("where an operator must act the server's own words are logged: they name rights, tables and files", () => {
  const sqlMessage = "SELECT command denied to user 'app'@'%' for table `sakila`.`city`"
  const error = Object.assign(new Error(sqlMessage), { code: 'ER_X', errno: 1142, sqlState: '42000', sqlMessage })
  assert.deepEqual(describeError(error), {
    type: 'Error',
    code: 'ER_X',
    errno: 1142,
    sqlState: '42000',
    message: sqlMessage,
  })
})

test("of the database side's own errors the message is logged, and no stack, since an outage has thousands", () => {
  const cause = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:3306'), { code: 'ECONNREFUSED', errno: -111 })
  const error = Object.assign(new DeadlineExceededError(200), { cause })
  assert.deepEqual(describeError(error), {
    type: 'DeadlineExceededError',
    message: 'no answer within 200 ms',
    cause: { type: 'Error', code: 'ECONNREFUSED', errno: -111, sqlState: undefined },
  })
})

test('of any other error message and stack are logged', () => {
  const described = describeError(new RangeError('too far')) as { type: string; message: string; stack: string }
  assert.equal(described.type, 'RangeError')
  assert.equal(described.message, 'too far')
  assert.match(described.stack, /log\.test\.ts/)
})

test('what is thrown and is no error is not logged itself', () => {
  assert.deepEqual(describeError('secret'), { type: 'string' })
})
