import assert from 'node:assert/strict'
import { test } from 'vitest'
import {
  asDriverError,
  classifyConnectError,
  classifyStatementError,
  type Flavour,
  isCommitRolledBack,
  nameConnectError,
} from '../../db/classify-error.ts'

function outcomes(flavour: Flavour, numbers: readonly number[]): string[] {
  return numbers.map((errno) => {
    const { outcome, isSessionUsable, isWrongServer } = classifyStatementError({ errno }, flavour)
    return [outcome, isSessionUsable ? 'keep' : 'leave', ...(isWrongServer ? ['move'] : [])].join(' ')
  })
}

function transactions(flavour: Flavour, numbers: readonly number[]): string[] {
  return numbers.map((errno) => classifyStatementError({ errno }, flavour).transaction)
}

test('a server that takes no writes refused the statement; its session can still be asked why', () => {
  for (const flavour of ['mysql', 'mariadb'] as const) {
    assert.deepEqual(outcomes(flavour, [1290, 1836, 1792, 1047]), Array(4).fill('refused keep move'))
  }
})

test('a deadlock, a full lock table and a failed certification rolled the transaction back and leave the session usable', () => {
  for (const flavour of ['mysql', 'mariadb'] as const) {
    assert.deepEqual(outcomes(flavour, [1213, 1206]), ['rolledBack keep', 'rolledBack keep'])
    assert.deepEqual(transactions(flavour, [1213, 1206]), ['lost', 'lost'])
  }
  assert.deepEqual(outcomes('mysql', [3101, 3100, 1020]), ['rolledBack keep', 'rolledBack keep move', 'failed keep'])
  assert.deepEqual(outcomes('mariadb', [3101, 3100, 1020]), ['failed keep', 'failed keep', 'rolledBack keep'])
})

test('an error of one row or value leaves the transaction alone; any that is not known is asked about', () => {
  for (const flavour of ['mysql', 'mariadb'] as const) {
    assert.deepEqual(transactions(flavour, [1062, 1451, 1452, 1064]), Array(4).fill('kept'))
    assert.deepEqual(transactions(flavour, [1205, 1317, 1969, 3024, 1614, 1197, 9999]), Array(7).fill('asked'))
  }
  assert.deepEqual(
    [...transactions('mysql', [3819, 4025]), ...transactions('mariadb', [3819, 4025])],
    ['kept', 'asked', 'asked', 'kept'],
  )
})

test('a COMMIT that waited in vain was rolled back; of no other answer is that known from the number alone', () => {
  assert.deepEqual(
    [1205, 1317, 1062].map((errno) => isCommitRolledBack({ errno })),
    [true, false, false],
  )
})

test('the last words of a session leave the outcome of its statement open', () => {
  const lastWords = [1053, 1077, 1079, 1080, 1152, 1184, 1158, 1159, 1160, 1161, 1156, 1157, 1180, 1181]
  assert.deepEqual(outcomes('mysql', lastWords), Array(lastWords.length).fill('unknown leave'))
})

test('one number means different things on each server', () => {
  assert.deepEqual(outcomes('mysql', [4031, 1927]), ['refused leave', 'failed keep'])
  assert.deepEqual(outcomes('mariadb', [4031, 1927]), ['failed keep', 'unknown leave'])
})

test("errors of the statement itself are the caller's, and cost no connection", () => {
  assert.deepEqual(outcomes('mysql', [1062, 1064, 1146, 1205, 1317, 3024, 1969]), Array(7).fill('failed keep'))
  assert.deepEqual(outcomes('mysql', [1153]), ['failed leave'])
})

test('only a write that the kernel refused proves that the statement never arrived', () => {
  const outcomeOf = (error: unknown) => classifyStatementError(error, 'mysql').outcome
  assert.equal(outcomeOf({ errno: -32, code: 'EPIPE', syscall: 'write' }), 'notSent')
  assert.equal(outcomeOf({ errno: -104, code: 'ECONNRESET', syscall: 'write' }), 'notSent')
  assert.equal(outcomeOf({ errno: -104, code: 'ECONNRESET', syscall: 'read' }), 'unknown')
  assert.equal(outcomeOf({ errno: -110, code: 'ETIMEDOUT', syscall: 'read' }), 'unknown')
  assert.equal(outcomeOf({ code: 'PROTOCOL_CONNECTION_LOST' }), 'unknown')
  assert.equal(outcomeOf({ syscall: 'write' }), 'unknown')
})

test("texts are never looked at, nor numbers that are no server's", () => {
  for (const error of [
    new Error("Can't add new command when connection is in closed state"),
    new Error('MySQL server has gone away (2006)'),
    { errno: 0 },
    { errno: -1290 },
    { errno: '1290' },
    'ECONNREFUSED',
    null,
    undefined,
  ]) {
    assert.deepEqual(classifyStatementError(error, 'mysql'), {
      outcome: 'unknown',
      isSessionUsable: false,
      isWrongServer: false,
      transaction: 'lost',
    })
  }
})

test('a failed attempt to connect is tried again unless time will not mend it', () => {
  const verdicts = (errors: readonly object[]) => errors.map(classifyConnectError)
  const all = (numbers: readonly number[], verdict: string) =>
    assert.deepEqual(verdicts(numbers.map((errno) => ({ errno }))), Array(numbers.length).fill(verdict))
  all([1040, 1203, 1226], 'full')
  all([1045, 1698, 3955, 4150], 'credentials')
  all([1044, 1049, 1129, 1130, 1251, 1275, 1524, 1820, 1862, 3118, 4151, 3159], 'permanent')
  all([1064, 1142, 1193, 1227, 1231], 'permanent')
  assert.deepEqual(verdicts([{ errno: 1053 }, { errno: 3032 }]), ['transient', 'transient'])
  for (const code of [
    'HANDSHAKE_NO_SSL_SUPPORT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'CERT_HAS_EXPIRED',
    'MYSQL_CLEAR_PASSWORD_NOT_ENABLED',
  ]) {
    assert.equal(classifyConnectError({ code }), 'permanent', code)
  }
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST']) {
    assert.equal(classifyConnectError({ code, errno: -111 }), 'transient', code)
  }
  assert.equal(classifyConnectError(new Error('not connected in 1000 ms')), 'transient')
})

test('a failed login has the name that its server gives it, and none that is another error there', () => {
  // As the driver has them: MySQL's names, whatever server answers.
  const locked = { errno: 4151, code: 'ER_BULK_PARSER_INCOMPLETE_ESCAPE_SEQUENCE' }
  assert.equal(nameConnectError(locked), 'ER_ACCOUNT_HAS_BEEN_LOCKED')
  assert.equal(nameConnectError({ errno: 1045, code: 'ER_ACCESS_DENIED_ERROR' }), 'ER_ACCESS_DENIED_ERROR')
  assert.equal(nameConnectError({ errno: 3032, code: 'ER_SERVER_OFFLINE_MODE' }), 'ER_SERVER_OFFLINE_MODE')
  assert.equal(nameConnectError({ errno: 4200, code: 'ER_OF_MYSQL' }), 'ERRNO_4200')
  assert.equal(nameConnectError({ errno: 1999, code: undefined }), 'ERRNO_1999')
  assert.equal(nameConnectError({ errno: -111, code: 'ECONNREFUSED' }), 'ECONNREFUSED')
  assert.equal(nameConnectError(new TypeError('secret')), 'TypeError')
  assert.equal(nameConnectError('secret'), 'UNKNOWN')
})

test('fields of a wrong type are not taken', () => {
  assert.deepEqual(asDriverError({ errno: '1045', code: 7, syscall: {} }), {
    errno: undefined,
    code: undefined,
    syscall: undefined,
  })
  assert.deepEqual(asDriverError('error'), {})
})
