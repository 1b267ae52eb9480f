import assert from 'node:assert/strict'
import { test } from 'vitest'
import { PoolOptionsError } from '../../db/pool/options.ts'
import { toSessionSetup } from '../../db/session-setup.ts'
import { type SessionOptions, strictSession } from '../../db/session-variables.ts'

const always =
  "SET autocommit = 1, completion_type = 0, NAMES utf8mb4 COLLATE utf8mb4_general_ci, sql_mode = concat_ws(',', nullif(@@sql_mode, ''), 'IGNORE_SPACE')"

test('without options a session has what the pool needs, and what mysql2 asked for at login', () => {
  assert.equal(toSessionSetup(), always)
  assert.equal(toSessionSetup({ time_zone: undefined }), always)
})

test('names that not every server has are in comments that only those read', () => {
  const session: SessionOptions = {
    unique_checks: 0,
    max_statement_time: 0.25,
    cte_max_recursion_depth: 7,
    block_encryption_mode: 'aes-256-cbc',
    collation_connection: { mariadb: 'utf8mb4_bin', mysql: 'utf8mb4_0900_bin' },
    sql_select_limit: 2n ** 64n - 1n,
    system_versioning_asof: 'DEFAULT',
  }
  assert.equal(
    toSessionSetup(session),
    `${always} /*M!101100 , collation_connection = 'utf8mb4_bin' */ /*!80001 , collation_connection = 'utf8mb4_0900_bin' */` +
      ', unique_checks = 0 /*M!101100 , max_statement_time = 0.25 */, sql_select_limit = 18446744073709551615' +
      ' /*!80003 , cte_max_recursion_depth = 7 */' +
      " /*M!110200 , block_encryption_mode = 'aes-256-cbc' */ /*!50700 , block_encryption_mode = 'aes-256-cbc' */" +
      ' /*M!101100 , system_versioning_asof = DEFAULT */',
  )
})

test('what is no variable of the list, and values that could end a literal, are refused together', () => {
  const session = { autocommit: 0, time_zone: "'; --", lc_time_names: 'de_DE', div_precision_increment: Number.NaN }
  assert.throws(
    () => toSessionSetup(session as SessionOptions),
    (error) =>
      error instanceof PoolOptionsError &&
      assert.deepEqual(error.faults, [
        'session: autocommit is not a variable that can be chosen here',
        "session: time_zone must be a plain text or a number, got '; --",
        'session: div_precision_increment must be a plain text or a number, got NaN',
      ]) === undefined,
  )
})

test('the strict session is frozen', () => {
  assert.throws(() => Object.assign(strictSession, { time_zone: 'SYSTEM' }), TypeError)
})
