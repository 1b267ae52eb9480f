import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { PoolEvent } from '../../db/index.ts'
import { logPoolEvents } from '../../src/pool-log.ts'
import { createManualClock } from './manual-clock.ts'
import { createMemoryLog } from './memory-log.ts'

function setUp() {
  const clock = createManualClock()
  const { log, lines } = createMemoryLog()
  const onEvent = logPoolEvents({ log, clock })
  const report = (event: PoolEvent, times = 1) => {
    for (let time = 0; time < times; time += 1) onEvent(event)
  }
  return { clock, lines, report }
}

const lost: PoolEvent = { name: 'evicted', reason: 'lost', idleMs: 0 }
const refused = Object.assign(new Error('connect ECONNREFUSED db.internal'), { code: 'ECONNREFUSED', errno: -111 })

test('an outage is one line at its start, with the cause, and one at its end', () => {
  const { lines, report } = setUp()
  report({ name: 'outageStarted', cause: refused })
  report({ name: 'connectFailed', cause: refused }, 20)
  report({ name: 'outageEnded', durationMs: 12_345.6, attempts: 21 })
  assert.deepEqual(
    lines.map(({ level, err, ms, attempts }) => ({ level, err, ms, attempts })),
    [
      {
        level: 'warn',
        err: { type: 'Error', code: 'ECONNREFUSED', errno: -111, sqlState: undefined },
        ms: undefined,
        attempts: undefined,
      },
      { level: 'info', err: undefined, ms: 12_346, attempts: 21 },
    ],
  )
})

test('what comes by the hundred is one line with counts after a second, then one every ten', () => {
  const { clock, lines, report } = setUp()
  report(lost, 16)
  report({ name: 'refused' }, 300)
  clock.advance(999)
  assert.deepEqual(lines, [])
  clock.advance(1)
  assert.deepEqual(
    lines.map(({ level, counts }) => [level, counts]),
    [['warn', { lost: 16, refused: 300 }]],
  )
  report({ name: 'acquireTimeout' })
  clock.advance(9_999)
  assert.equal(lines.length, 1)
  report({ name: 'unknownOutcome' })
  clock.advance(1)
  assert.deepEqual(lines[1]?.['counts'], { acquireTimeout: 1, unknownOutcome: 1 })
  clock.advance(60_000)
  assert.equal(lines.length, 2)
})

test('connections that go as planned are no news', () => {
  const { clock, lines, report } = setUp()
  for (const reason of ['idleTimeout', 'maxLifetime', 'surplus', 'closed'] as const) {
    report({ name: 'evicted', reason, idleMs: 0 })
  }
  report({ name: 'opened', durationMs: 1 })
  clock.advance(60_000)
  assert.deepEqual(lines, [])
})

test('a server that comes and goes, or refuses writes again and again, is counted', () => {
  const { clock, lines, report } = setUp()
  for (let time = 0; time < 10; time += 1) {
    report({ name: 'outageStarted', cause: refused })
    report({ name: 'outageEnded', durationMs: 100, attempts: 1 })
    report({ name: 'failover' })
    clock.advance(500)
  }
  assert.deepEqual(
    lines.map(({ message }) => message),
    [
      'no new connection to the database',
      'connected to the database again',
      'the server takes no writes: moving to where new connections lead',
      'the pool lost connections or turned callers away',
    ],
  )
  clock.advance(10_000)
  assert.equal(lines.length, 5)
  const counted = lines.map(({ counts }) => counts as { outages: number; failovers: number } | undefined)
  assert.equal((counted[3]?.outages ?? 0) + (counted[4]?.outages ?? 0), 9)
  assert.equal((counted[3]?.failovers ?? 0) + (counted[4]?.failovers ?? 0), 9)
})

test('an outage soon after another has its two lines too, when it lasts for a second', () => {
  const { clock, lines, report } = setUp()
  const messages = () => lines.map(({ message }) => message).filter((message) => /database/.test(message))
  const short: PoolEvent = { name: 'outageEnded', durationMs: 100, attempts: 1 }
  report({ name: 'outageStarted', cause: refused })
  report(short)
  report({ name: 'outageStarted', cause: refused })
  clock.advance(999)
  assert.equal(messages().length, 2)
  clock.advance(1)
  report({ name: 'outageEnded', durationMs: 1000, attempts: 3 })
  assert.deepEqual(messages(), [
    'no new connection to the database',
    'connected to the database again',
    'no new connection to the database',
    'connected to the database again',
  ])
})

test("an outage is told in the server's own words, and again when another reason comes up", () => {
  const { lines, report } = setUp()
  const denied = Object.assign(new Error("Access denied for user 'app'@'10.0.0.1'"), { errno: 1045 })
  const changed = new Error('the password was changed while it was used', { cause: denied })
  report({ name: 'outageStarted', cause: refused })
  report({ name: 'connectFailed', cause: refused }, 5)
  report({ name: 'connectFailed', cause: denied }, 5)
  report({ name: 'connectFailed', cause: refused }, 5)
  report({ name: 'connectFailed', cause: changed })
  report({ name: 'outageEnded', durationMs: 100, attempts: 16 })
  // Of an attempt that fails while others serve there is no line.
  report({ name: 'connectFailed', cause: denied })
  assert.deepEqual(
    lines.map(({ message, reason }) => [message, reason]),
    [
      ['no new connection to the database', 'connect ECONNREFUSED db.internal'],
      ['no new connection to the database', "Access denied for user 'app'@'10.0.0.1'"],
      [
        'no new connection to the database',
        "the password was changed while it was used: Access denied for user 'app'@'10.0.0.1'",
      ],
      ['connected to the database again', undefined],
    ],
  )
})

test('TLS files that cannot be used are one line, with the reason', () => {
  const { lines, report } = setUp()
  report({ name: 'tlsTextsUnusable', cause: new Error('ENOENT: no such file, open /run/ca.pem') })
  assert.deepEqual(
    lines.map(({ level, message, reason }) => [level, message, reason]),
    [['warn', 'the TLS files cannot be used: the last good ones are', 'ENOENT: no such file, open /run/ca.pem']],
  )
})
