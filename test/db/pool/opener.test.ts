import assert from 'node:assert/strict'
import { test } from 'vitest'
import { ConnectGate } from '../../../db/pool/connect-gate.ts'
import type { Connection } from '../../../db/pool/connection.ts'
import type { AttemptHooks, Connector } from '../../../db/pool/connector.ts'
import { Opener } from '../../../db/pool/opener.ts'
import { createManualClock } from '../../src/manual-clock.ts'

interface FakeAttempt {
  readonly hooks: AttemptHooks
  readonly startedAtMs: number
  isAbandoned: boolean
  readonly succeed: () => Promise<FakeConnection>
  readonly fail: (error?: object) => Promise<void>
}

interface FakeConnection {
  readonly createdAtMs: number
  lastAliveAtMs: number
  hasQuit: boolean
}

const refusal = { errno: 1045, code: 'ER_ACCESS_DENIED_ERROR' }
const settled = async () => {
  for (let turns = 0; turns < 3; turns += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** An opener for a pool that wants `wanted.count` connections, over attempts that end as they are told to. */
function createOpener(wanted: { count: number; room: number; urgency: 'low' | 'high' }) {
  const clock = createManualClock()
  const attempts: FakeAttempt[] = []
  const opened: FakeConnection[] = []
  const events: string[] = []
  const secret = { isNew: false, asked: 0 }
  const connector: Connector = {
    connect(hooks) {
      const { promise, resolve, reject } = Promise.withResolvers<Connection>()
      const attempt: FakeAttempt = {
        hooks,
        startedAtMs: clock.now(),
        isAbandoned: false,
        succeed: async () => {
          const nowMs = clock.now()
          const connection = { createdAtMs: nowMs, lastAliveAtMs: nowMs + 1, hasQuit: false }
          // Of a connection an opener knows no more.
          resolve({ ...connection, quit: () => (connection.hasQuit = true) } as unknown as Connection)
          await settled()
          return connection
        },
        fail: async (error = new Error('refused')) => {
          reject(error)
          await settled()
        },
      }
      attempts.push(attempt)
      const abandon = () => {
        attempt.isAbandoned = true
        reject(new Error('given up'))
      }
      return { connection: promise, abandon }
    },
    hasNewCredentials: async () => {
      secret.asked += 1
      return secret.isNew
    },
  }
  const opener = new Opener({
    connector,
    clock,
    gate: new ConnectGate(() => 0),
    demand: () => wanted,
    onOpened: (connection) => {
      wanted.count -= 1
      opened.push(connection as unknown as FakeConnection)
    },
    onFailed: () => {},
    onDeath: () => {},
    onEvent: ({ name }) => events.push(name),
  })
  const advance = async (ms: number) => {
    for (let passedMs = 0; passedMs < ms; passedMs += 50) {
      clock.advance(50)
      for (const { hooks, startedAtMs } of attempts) if (clock.now() - startedAtMs === 1_000) hooks.onSilent?.()
      await settled()
    }
  }
  return { opener, attempts, opened, events, secret, clock, advance }
}

test('beside silent attempts others start, as long as there is room; then the one that is silent longest gives way', async () => {
  const { opener, attempts, advance } = createOpener({ count: 1, room: 3, urgency: 'high' })
  opener.pump()
  await advance(4_950)
  assert.deepEqual(
    attempts.map(({ startedAtMs }) => startedAtMs),
    [0, 1_000, 2_000],
  )
  await advance(50)
  assert.deepEqual(
    attempts.map(({ isAbandoned }) => isAbandoned),
    [true, false, false, false],
  )
  await advance(60_000)
  assert.equal(attempts.filter(({ isAbandoned }) => !isAbandoned).length, 3)
})

test('silence is an outage that is told once, and what fails late after a success is none', async () => {
  const { opener, attempts, opened, events, advance } = createOpener({ count: 1, room: 16, urgency: 'high' })
  opener.pump()
  await advance(2_500)
  assert.equal((opener.lastFailure as Error).message, 'no answer for 1000 ms')
  await attempts[2]?.succeed()
  assert.equal(opened.length, 1)
  assert.equal(opener.lastFailure, undefined)
  await attempts[0]?.fail()
  assert.equal(opener.lastFailure, undefined)
  assert.deepEqual(events, ['outageStarted', 'opened', 'outageEnded', 'connectFailed'])
})

test('the next connection is for whoever needs it most: callers without any first, then who is outside', async () => {
  const wanted = { count: 1, room: 16, urgency: 'high' as 'low' | 'high' }
  const { opener, attempts, opened } = createOpener(wanted)
  opener.pump()
  const outside = opener.openOutside(() => {})
  await attempts[0]?.succeed()
  assert.equal(opened.length, 1)
  assert.equal(attempts.length, 2)
  const connection = await attempts[1]?.succeed()
  assert.equal(((await outside) as unknown as FakeConnection).createdAtMs, connection?.createdAtMs)
  assert.equal(opened.length, 1)
  assert.equal(opener.countedOn, 0)
})

test('what is silent is not counted on until something is heard of it', async () => {
  const { opener, attempts, advance } = createOpener({ count: 1, room: 1, urgency: 'high' })
  opener.pump()
  assert.equal(opener.countedOn, 1)
  await advance(1_000)
  assert.equal(opener.countedOn, 0)
  attempts[0]?.hooks.onHeard?.()
  assert.equal(opener.countedOn, 1)
})

test('who asks for a connection outside is told at once when the server refuses, is silent, or the opener is closed', async () => {
  for (const end of ['fail', 'silent', 'close'] as const) {
    const { opener, attempts } = createOpener({ count: 0, room: 16, urgency: 'low' })
    const outside = opener.openOutside(() => {})
    if (end === 'fail') await attempts[0]?.fail()
    else if (end === 'silent') attempts[0]?.hooks.onSilent?.()
    else opener.close()
    assert.equal(await outside, undefined, end)
  }
})

test('a refused password is looked at each 250 ms while somebody needs a connection, and a new one is tried at once', async () => {
  const wanted = { count: 1, room: 16, urgency: 'high' as 'low' | 'high' }
  const { opener, attempts, secret, advance } = createOpener(wanted)
  opener.pump()
  await attempts[0]?.fail(refusal)
  await advance(900)
  assert.equal(attempts.length, 1)
  assert.equal(secret.asked, 4)
  wanted.urgency = 'low'
  await advance(100)
  await attempts[1]?.fail(refusal)
  await advance(1_000)
  assert.ok(secret.asked <= 5, `${secret.asked}`)
  wanted.urgency = 'high'
  secret.isNew = true
  opener.pump()
  await settled()
  assert.equal(attempts.length, 3)
})
