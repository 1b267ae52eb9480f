import assert from 'node:assert/strict'
import { test } from 'vitest'
import { asDriverError, classifyConnectError, classifyStatementError, type Flavour } from '../../db/classify-error.ts'

function outcomes(flavour: Flavour, numbers: readonly number[]): string[] {
  return numbers.map((errno) => {
    const { outcome, isSessionUsable, isWrongServer } = classifyStatementError({ errno }, flavour)
    return [outcome, isSessionUsable ? 'keep' : 'leave', ...(isWrongServer ? ['move'] : [])].join(' ')
  })
}

test('a server that takes no writes refused the statement; its session can still be asked why', () => {
  for (const flavour of ['mysql', 'mariadb'] as const) {
    assert.deepEqual(outcomes(flavour, [1290, 1836, 1792, 1047]), Array(4).fill('refused keep move'))
  }
})

test('a deadlock and a failed certification rolled the transaction back and leave the session usable', () => {
  assert.deepEqual(outcomes('mariadb', [1213, 3101]), ['rolledBack keep', 'rolledBack keep'])
})

test('the last words of a session leave the outcome of its statement open', () => {
  const lastWords = [1053, 1077, 1079, 1080, 1152, 1184, 1158, 1159, 1160, 1161, 1156, 1157, 1180, 1181, 1317]
  assert.deepEqual(outcomes('mysql', lastWords), Array(lastWords.length).fill('unknown leave'))
})

test('one number means different things on each server', () => {
  assert.deepEqual(outcomes('mysql', [4031, 1927]), ['refused leave', 'failed keep'])
  assert.deepEqual(outcomes('mariadb', [4031, 1927]), ['failed keep', 'unknown leave'])
})

test("errors of the statement itself are the caller's, and cost no connection", () => {
  assert.deepEqual(outcomes('mysql', [1062, 1064, 1146, 1205, 3024, 1969]), Array(6).fill('failed keep'))
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
    })
  }
})

test('a failed attempt to connect is tried again unless time will not mend it', () => {
  const verdicts = (errors: readonly object[]) => errors.map(classifyConnectError)
  assert.deepEqual(verdicts([{ errno: 1040 }, { errno: 1203 }]), ['full', 'full'])
  assert.deepEqual(verdicts([{ errno: 1045 }, { errno: 1698 }]), ['credentials', 'credentials'])
  const permanent = [1044, 1049, 1129, 1130, 1226, 1251, 1524, 1862, 3118, 4151]
  assert.deepEqual(verdicts(permanent.map((errno) => ({ errno }))), Array(10).fill('permanent'))
  assert.deepEqual(verdicts([{ errno: 1053 }, { errno: 3032 }]), ['transient', 'transient'])
  for (const code of ['HANDSHAKE_NO_SSL_SUPPORT', 'ERR_TLS_CERT_ALTNAME_INVALID', 'CERT_HAS_EXPIRED']) {
    assert.equal(classifyConnectError({ code }), 'permanent', code)
  }
  for (const code of ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'PROTOCOL_CONNECTION_LOST']) {
    assert.equal(classifyConnectError({ code, errno: -111 }), 'transient', code)
  }
  assert.equal(classifyConnectError(new Error('not connected in 1000 ms')), 'transient')
})

test('fields of a wrong type are not taken', () => {
  assert.deepEqual(asDriverError({ errno: '1045', code: 7, syscall: {} }), {
    errno: undefined,
    code: undefined,
    syscall: undefined,
  })
  assert.deepEqual(asDriverError('error'), {})
})
