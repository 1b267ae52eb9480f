import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HTTPException } from 'hono/http-exception'
import { test } from 'vitest'
import {
  AcquireTimeoutError,
  CityChangedError,
  CityNotFoundError,
  CommitUnknownError,
  ConnectRefusedError,
  DeadlineExceededError,
  IdsExhaustedError,
  KeyInUseError,
  KeyReusedError,
  PoolClosedError,
  PositionUnusableError,
  QueueFullError,
  StatementLostError,
  StatementTooLargeError,
  TransactionEndedError,
  UnknownCountryError,
} from '../../db/index.ts'
import { serverFaults } from '../../db/server-errors.ts'
import { ClientLeftError, effectiveTimeoutMs } from '../../src/deadline.ts'
import { judgeError } from '../../src/http-errors.ts'
import { badRequest, OUTCOME_UNKNOWN, ProblemError } from '../../src/problem.ts'

test('a problem is answered as it says', () => {
  const errors = [{ parameter: 'limit', detail: 'must be an integer' }]
  const { status, errors: found } = judgeError(badRequest(errors))
  assert.equal(status, 400)
  assert.deepEqual(found, errors)
  assert.deepEqual(judgeError(new ProblemError(404, 'There is no such city.')), {
    status: 404,
    detail: 'There is no such city.',
    errors: undefined,
  })
})

test("hono's exceptions are answered by their status, and their message is kept back", () => {
  assert.deepEqual(judgeError(new HTTPException(413)), { status: 413 })
  assert.deepEqual(judgeError(new HTTPException(400, { message: 'quotes the input' })), { status: 400 })
})

test('a database that cannot be used is 503 with Retry-After, never 500, and says nothing of itself', () => {
  const lost = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:3306'), { code: 'ECONNREFUSED', errno: -111 })
  assert.deepEqual(judgeError(lost), {
    status: 503,
    detail: 'The database cannot be used now.',
    retryAfterSeconds: 1,
    logAs: 'warn',
  })
  const full = Object.assign(new Error('Too many connections'), { code: 'ER_CON_COUNT_ERROR', errno: 1040 })
  assert.equal(judgeError(full).status, 503)
})

const answered = (errno: number, sqlState = 'HY000') =>
  Object.assign(new Error('quotes the input'), { errno, sqlState, sqlMessage: 'quotes the input', code: 'ER_X' })

test('what a server says of a statement is the client’s, the moment’s or the operator’s', () => {
  const statusOf = (errno: number, sqlState?: string) => judgeError(answered(errno, sqlState)).status
  assert.deepEqual(
    [1451, 1062].map((errno) => statusOf(errno)),
    [409, 409],
  )
  assert.deepEqual(
    [1644, 3819, 4025, 1366, 1267].map((errno) => statusOf(errno)),
    [422, 422, 422, 422, 422],
  )
  assert.deepEqual(
    [1205, 1213, 1317, 1290].map((errno) => statusOf(errno)),
    [503, 503, 503, 503],
  )
  assert.deepEqual(
    [3024, 1969].map((errno) => statusOf(errno)),
    [504, 504],
  )
  assert.deepEqual(
    [1142, 1146, 1054, 1370, 1114, 1021].map((errno) => statusOf(errno)),
    [500, 500, 500, 500, 500, 500],
  )
  assert.deepEqual(judgeError(answered(1142)), {
    status: 500,
    detail: 'The database needs its operator. Nothing was changed.',
    logAs: 'error',
  })
  assert.equal(judgeError(answered(1213)).retryAfterSeconds, 1)
  assert.equal(judgeError(answered(3024)).retryAfterSeconds, undefined)
})

test('a number that is not in the table goes by its class, and without one to the operator', () => {
  const statusOf = (sqlState: string) => judgeError(answered(60_000, sqlState)).status
  assert.deepEqual(['22001', '23000', '45000', '40001', '08S01'].map(statusOf), [422, 422, 422, 503, 503])
  assert.deepEqual(['HY000', '42000', '', '28000'].map(statusOf), [500, 500, 500, 500])
})

test('the manual lists every number of the table, each with those that have its answer', () => {
  const manual = readFileSync(join(import.meta.dirname, '../../docs/operations.md'), 'utf8')
  const rows = [...manual.matchAll(/^\| ([\d ]+) \| /gm)].map(([, numbers]) => numbers)
  assert.deepEqual(
    rows,
    Object.values(serverFaults).map((errors) => Object.keys(errors).join(' ')),
  )
})

test('a loss whose cause would come again is the operator’s, and a transaction that ended early may have taken effect', () => {
  const tooLarge = new StatementLostError('rolledBack', { cause: answered(1153) })
  assert.equal(judgeError(tooLarge).status, 500)
  assert.equal(judgeError(new StatementTooLargeError(2048, 1024)).status, 500)
  assert.equal(judgeError(new StatementLostError('rolledBack', { cause: answered(1213) })).status, 503)
  const { status, detail, logAs } = judgeError(new TransactionEndedError())
  assert.deepEqual([status, logAs], [500, 'error'])
  assert.match(detail ?? '', /Whether the change took effect is unknown/)
})

test('of a read no value can be at fault, and what would be is the operator’s', () => {
  const statusOf = (errno: number) => judgeError(answered(errno), { isRead: true }).status
  assert.deepEqual([1451, 1062, 1644, 1267, 1205, 3024, 1146].map(statusOf), [500, 500, 500, 500, 503, 504, 500])
})

test('a position that cannot be compared any more is 400 and named by its parameter', () => {
  const { status, errors } = judgeError(new PositionUnusableError({ cause: answered(1267) }))
  assert.equal(status, 400)
  assert.deepEqual(
    errors?.map((error) => 'parameter' in error && error.parameter),
    ['after'],
  )
})

test('a deadline is 504', () => {
  assert.deepEqual(judgeError(new DeadlineExceededError(200)), {
    status: 504,
    detail: 'The database did not answer within 200 ms. Nothing was changed.',
    logAs: 'warn',
  })
})

const lost = new Error('the server closed the connection')
const unusable = { status: 503, retryAfterSeconds: 1, logAs: 'warn' }

test('where it is certain that nothing took effect, a 503 says so', () => {
  const stats = { total: 0, idle: 0, acquired: 0, waiting: 0, connecting: 0 }
  for (const error of [
    ...(['notSent', 'refused', 'rolledBack'] as const).map(
      (outcome) => new StatementLostError(outcome, { cause: lost }),
    ),
    new AcquireTimeoutError(5000, stats),
    new QueueFullError(stats),
    new ConnectRefusedError({ cause: lost }),
    new PoolClosedError(),
  ]) {
    assert.deepEqual(judgeError(error), {
      ...unusable,
      detail: 'The database cannot be used now. Nothing was changed.',
    })
  }
})

test('where the outcome is unknown, a 503 says that', () => {
  const detail = 'The connection to the database was lost. Whether the change took effect is unknown.'
  assert.deepEqual(judgeError(new StatementLostError('unknown', { cause: lost })), { ...unusable, detail })
  assert.deepEqual(judgeError(new CommitUnknownError({ cause: lost })), { ...unusable, detail, kind: OUTCOME_UNKNOWN })
})

test('a deadline on COMMIT is 504, and its outcome unknown', () => {
  assert.deepEqual(judgeError(new CommitUnknownError({ cause: new DeadlineExceededError(200) })), {
    status: 504,
    kind: OUTCOME_UNKNOWN,
    detail: 'The database did not confirm the change within 200 ms. Whether the change took effect is unknown.',
    logAs: 'warn',
  })
})

test('a country that does not exist is 422 and named by its pointer', () => {
  assert.deepEqual(judgeError(new UnknownCountryError(110, { cause: lost })), {
    status: 422,
    detail: 'There is no such country.',
    errors: [{ pointer: '/countryId', detail: 'must be the id of a country' }],
  })
})

test('a city that is not there is 404, and one that has changed 412', () => {
  assert.deepEqual(judgeError(new CityNotFoundError(5)), { status: 404, detail: 'There is no such city.' })
  assert.deepEqual(judgeError(new CityChangedError(5)), { status: 412, detail: 'The city has another ETag.' })
})

test('an idempotency key that is in use is 409 for now, and that of another request 422', () => {
  assert.deepEqual(judgeError(new KeyInUseError({ cause: lost })), {
    status: 409,
    detail: 'A request with this Idempotency-Key is under way.',
    retryAfterSeconds: 1,
  })
  assert.deepEqual(judgeError(new KeyReusedError()), {
    status: 422,
    detail: 'The Idempotency-Key belongs to another request.',
  })
})

test('used up ids are 507, and somebody must act', () => {
  assert.deepEqual(judgeError(new IdsExhaustedError({ cause: lost })), {
    status: 507,
    detail: 'No id is left for another row.',
    logAs: 'error',
  })
})

test('a client that left is not our fault', () => {
  assert.deepEqual(judgeError(new ClientLeftError('gone')), { status: 499 })
  assert.equal(judgeError(new CommitUnknownError({ cause: new ClientLeftError('gone') })).status, 499)
})

test('anything else is 500, logged, and says nothing', () => {
  assert.deepEqual(judgeError(new TypeError('x is not a function')), { status: 500, logAs: 'error' })
  assert.deepEqual(judgeError('thrown'), { status: 500, logAs: 'error' })
})

test('a Request-Timeout counts where it is less than our own', () => {
  assert.equal(effectiveTimeoutMs(undefined, 5000), 5000)
  assert.equal(effectiveTimeoutMs('2', 5000), 2000)
  assert.equal(effectiveTimeoutMs('0.25', 5000), 250)
  assert.equal(effectiveTimeoutMs('0.001', 5000), 1)
  assert.equal(effectiveTimeoutMs('5', 5000), 5000)
  assert.equal(effectiveTimeoutMs('9999999', 5000), 5000)
})

test('a Request-Timeout that is no number of seconds is refused by its name', () => {
  for (const header of ['', '0', '0.0001', '-1', '1e3', 'soon', '1, 2', '99999999', '.5', 'Infinity', 'NaN']) {
    assert.throws(
      () => effectiveTimeoutMs(header, 5000),
      (error) => error instanceof ProblemError && error.status === 400 && 'header' in (error.errors?.[0] ?? {}),
      header,
    )
  }
})
