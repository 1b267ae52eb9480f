import assert from 'node:assert/strict'
import { test } from 'vitest'
import { systemClock } from '../../../db/clock.ts'
import { StatementFailure } from '../../../db/pool/connection.ts'
import { Scope } from '../../../db/scope.ts'
import { createManualClock } from '../../src/manual-clock.ts'
import { createFakeConnector } from './fake-connection.ts'

async function open() {
  const clock = createManualClock()
  const { connector, raws, link } = createFakeConnector(clock)
  let deaths = 0
  const onDeath = () => {
    deaths += 1
  }
  const connection = await connector.connect({ onDeath }).connection
  const [raw] = raws
  assert.ok(raw)
  return { clock, connection, raw, link, deaths: () => deaths }
}

test('#33 statements that wait on their connection end with their scope, and never run', async () => {
  const { clock, connection, raw } = await open()
  raw.isAnswering = false
  const scope = new Scope(clock, 300)
  const statements = ['SELECT 1', 'SELECT 2', 'SELECT 3'].map((sql) => connection.run(sql, [], { scope }))
  clock.advance(300)
  for (const statement of statements) await assert.rejects(statement, { name: 'DeadlineExceededError', timeoutMs: 300 })
  await assert.rejects(connection.run('SELECT 4', [], { scope }), { name: 'DeadlineExceededError' })
  assert.deepEqual(raw.statements, ['SELECT 1'])
  assert.equal(connection.isBusy, true)
})

test('#33 a statement behind ones whose time is up runs when its turn comes', async () => {
  const { connection, raw } = await open()
  const scope = new Scope(systemClock, 60_000)
  const first = connection.run('SELECT 1', [])
  const left = connection.run('SELECT 2', [], { scope })
  const last = connection.run('SELECT 3', [])
  scope.abort(new Error('left'))
  await assert.rejects(left, { message: 'left' })
  await Promise.all([first, last])
  assert.deepEqual(raw.statements, ['SELECT 1', 'SELECT 3'])
  assert.equal(connection.isBusy, false)
})

test('a lost connection tells the running statement "unknown" and those behind it "not sent", and dies once', async () => {
  const { connection, raw, deaths } = await open()
  raw.isAnswering = false
  const [first, second] = [connection.run('SELECT 1', []), connection.run('SELECT 2', [])]
  raw.lose()
  raw.lose()
  const outcomeIs = (outcome: string) => (error: unknown) =>
    error instanceof StatementFailure && error.verdict.outcome === outcome
  await assert.rejects(first, outcomeIs('unknown'))
  await assert.rejects(second, outcomeIs('notSent'))
  await assert.rejects(connection.run('SELECT 3', []), outcomeIs('notSent'))
  assert.equal(connection.isDead, true)
  assert.equal(deaths(), 1)
  assert.deepEqual(raw.statements, ['SELECT 1'])
})

test('a scope that outlives its statements has none of their listeners, answered, queued or lost', async () => {
  const { connection, raw } = await open()
  const added: unknown[] = []
  class WatchedScope extends Scope {
    override addListener(listener: (reason: Error) => void): void {
      added.push(listener)
      super.addListener(listener)
    }
    override removeListener(listener: (reason: Error) => void): void {
      added.splice(added.indexOf(listener), 1)
      super.removeListener(listener)
    }
  }
  const scope = new WatchedScope(systemClock, Number.POSITIVE_INFINITY)
  const ask = () => connection.run('SELECT 1', [], { scope })
  await Promise.all([ask(), ask(), ask()])
  assert.equal(added.length, 0)
  raw.isAnswering = false
  const lost = [ask(), ask()]
  assert.equal(added.length, 2)
  raw.lose()
  await Promise.allSettled([...lost, ask()])
  assert.equal(added.length, 0)
})

const turnsOfTheLoop = async () => {
  for (let turns = 0; turns < 4; turns += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A ping that is never answered: how long until the connection is dead, in ms. */
async function lastingOf(ping: Promise<boolean>, { clock, connection, raw }: Awaited<ReturnType<typeof open>>) {
  const startedAtMs = clock.now()
  while (!connection.isDead) {
    clock.advance(1)
    await turnsOfTheLoop()
  }
  assert.equal(await ping, false)
  assert.equal(connection.isSilent, true)
  assert.equal(raw.isSocketClosed, true)
  return clock.now() - startedAtMs
}

test('#37 a ping that is not answered ends at its limit, and the connection with it, when others are heard', async () => {
  const site = await open()
  site.raw.isAnswering = false
  const ping = site.connection.ping(250)
  site.clock.advance(100)
  site.link.record(1, site.clock.now())
  assert.equal(await lastingOf(ping, site), 150)
})

test('a ping lasts for a second while nobody is heard: it may be the link that has become slow', async () => {
  const site = await open()
  site.raw.isAnswering = false
  assert.equal(await lastingOf(site.connection.ping(250), site), 1_000)
})

test('a ping lasts for three round trips of a slow link', async () => {
  const site = await open()
  site.raw.isAnswering = false
  const ping = site.connection.ping(250)
  site.clock.advance(50)
  site.link.record(200, site.clock.now())
  assert.equal(await lastingOf(ping, site), 550)
})

test('a ping measures the link, unless the event loop stood still', async () => {
  const { clock, connection, link } = await open()
  const pinging = connection.ping(250)
  clock.advance(80)
  await pinging
  assert.equal(link.roundTripMs(clock.now()), 80)
  const stalled = connection.ping(250)
  clock.advance(5_000)
  assert.equal(await stalled, true)
  assert.equal(link.roundTripMs(clock.now()), 80)
})

test('#54 an answer that came before the loop could look counts, though the timer fired first', async () => {
  const { clock, connection, raw } = await open()
  const ping = connection.ping(250)
  clock.advance(5_000) // the answer is there, and nobody has read it
  assert.equal(await ping, true)
  assert.equal(connection.isDead, false)
  const answer = connection.ask('SELECT 1', 250)
  clock.advance(5_000)
  assert.deepEqual(await answer, [])
  assert.deepEqual(raw.statements, ['SELECT 1'])
})

test('a statement that could not be sent proves nothing about the connection', async () => {
  const { connection, raw } = await open()
  await assert.rejects(
    connection.run('SELECT ?', ['x'.repeat(70_000_000)]),
    (error) => error instanceof StatementFailure,
  )
  assert.equal(connection.isFresh, false)
  assert.deepEqual(raw.statements, [])
  await connection.run('SELECT 1', [])
  assert.equal(connection.isFresh, true)
})
