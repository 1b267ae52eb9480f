import assert from 'node:assert/strict'
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
  QueueFullError,
  StatementLostError,
  UnknownCountryError,
} from '../../db/index.ts'
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
