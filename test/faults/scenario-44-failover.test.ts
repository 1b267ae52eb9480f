import assert from 'node:assert/strict'
import dns from 'node:dns'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test, vi } from 'vitest'
import { DeadlineExceededError, StatementLostError } from '../../db/errors.ts'
import { FaultProxy } from '../support/fault-proxy.ts'
import { errorPacket } from '../support/fault-proxy-flow.ts'
import { until } from '../support/fault-site.ts'
import {
  asAnswer,
  durationOf,
  openPoolSite,
  type PoolServer,
  type PoolSite,
  startPoolServer,
  startTwin,
} from '../support/pool-site.ts'
import { countRows, listSessions, setReadOnly } from '../support/server-faults.ts'

let server: PoolServer
let twin: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
  twin = await startTwin(server)
})
afterAll(() => Promise.all([server.dispose(), twin.dispose()]))
afterEach(() => site.dispose())

test('#44 a write that a read-only server refuses moves to the server that new connections reach', async () => {
  site = await openPoolSite(server, { pool: { size: 4 } })
  await site.fillIdle(4)
  const readOnly = await setReadOnly(server)
  try {
    const busy = site.read(0.3)
    await site.running('sleep(0.3)')
    site.proxy.target = twin.account
    await site.within(2_000, () => site.insert('44 moved'))
    assert.equal(await countRows(twin, twin.table, "text = '44 moved'"), 1)
    assert.equal(await site.count('44 moved'), 0)
    // Idle ones at once, the busy one at its release, unharmed.
    assert.deepEqual(new Set(site.evictions), new Set(['wrongServer']))
    await busy
    const isLeft = async () => (await listSessions(server, server.account.user)).length === 0
    assert.ok((await until(isLeft, 2_000)) < 2_000, 'no connection is left on the old server, control included')
    assert.equal(site.countOf('failover'), 1)
    assert.equal(site.countOf('unknownOutcome'), 0)
  } finally {
    await readOnly.lift()
  }
})

test('#44 statements are still stopped after the move: control moves too', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  await site.fillIdle(2)
  const readOnly = await setReadOnly(server)
  try {
    site.proxy.target = twin.account
    await site.within(2_000, () => site.insert('44 control'))
    await assert.rejects(
      site.within(300, () => site.read(20.44)),
      DeadlineExceededError,
    )
    const isStopped = async () =>
      (await listSessions(twin, twin.account.user)).every(({ info }) => !info?.includes('sleep(20.44)'))
    assert.ok((await until(isStopped, 2_000)) < 2_000, 'the statement was stopped on the new server')
  } finally {
    await readOnly.lift()
  }
})

test('#44 when every server is read-only, reads go on and writes wait for the end of it', async () => {
  site = await openPoolSite(server, { pool: { size: 4 } })
  await site.fillIdle(4)
  const readOnly = await setReadOnly(server)
  const writing = Promise.all(['44 a', '44 b', '44 c'].map((text) => site.within(5_000, () => site.insert(text))))
  writing.catch(() => {})
  const startedAtMs = performance.now()
  let reads = 0
  while (performance.now() - startedAtMs < 1_500) {
    const tookMs = await durationOf(site.within(500, () => site.read()))
    assert.ok(tookMs < 200, `a read took ${tookMs} ms`)
    reads += 1
    await sleep(10)
  }
  assert.ok(reads > 50, `${reads} reads`)
  assert.ok(site.countOf('failover') >= 1 && site.countOf('failover') <= 2, `${site.countOf('failover')} evictions`)
  await readOnly.lift()
  const tookMs = await durationOf(writing)
  await writing
  assert.ok(tookMs < 800, `${tookMs} ms`)
  for (const text of ['44 a', '44 b', '44 c']) assert.equal(await site.count(text), 1)
})

test("#44 1290 for another reason than a read-only server is the statement's own", async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toServer')
  const inserting = site.insert('44 other')
  inserting.catch(() => {})
  await site.sent()
  flow.inject('toClient', asAnswer(errorPacket(1290, 'HY000', 'running with the --secure-file-priv option')))
  flow.resume()
  await assert.rejects(inserting, { errno: 1290 })
  assert.equal(site.countOf('failover'), 0)
  assert.equal(site.countOf('retried'), 0)
  flow.cut('rst')
})

test('#45 connections follow the name: none is left at the old address', async () => {
  site = await openPoolSite(server, { pool: { size: 3 }, connection: { host: 'database.test' } })
  const other = new FaultProxy({ host: '127.0.0.2', port: site.proxy.address.port }, twin.account)
  await other.listen()
  let address = '127.0.0.1'
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, options: unknown, callback: unknown) => {
    const answer = [{ address, family: 4 }]
    const isAll = (options as { all?: boolean }).all === true
    setImmediate(() => {
      if (isAll) (callback as (error: null, all: unknown) => void)(null, answer)
      else (callback as (error: null, address: string, family: number) => void)(null, address, 4)
    })
  }) as typeof dns.lookup)
  const readOnly = await setReadOnly(server)
  try {
    await site.fillIdle(3)
    assert.equal(other.flows.length, 0)
    address = '127.0.0.2'
    await site.within(3_000, () => site.insert('45'))
    assert.equal(await countRows(twin, twin.table, "text = '45'"), 1)
    assert.ok((await until(() => site.proxy.flows.length === 0, 1_000)) < 1_000, 'nothing is left at the old address')
    assert.ok(other.flows.length >= 1)
  } finally {
    lookup.mockRestore()
    await readOnly.lift()
    await other.dispose()
  }
})

test('#46 1047 of a Galera node that is not in its cluster: the statement runs on another', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toServer')
  const inserting = site.within(2_000, () => site.insert('46'))
  await site.sent()
  flow.inject('toClient', asAnswer(errorPacket(1047, '08S01', 'WSREP has not yet prepared node for application use')))
  await inserting
  assert.equal(await site.count('46'), 1)
  assert.deepEqual(site.evictions, ['wrongServer'])
  assert.ok((await until(() => !flow.isOpen, 500)) < 500)
})

test('#47 a server that answers pings and refuses statements with 1053 is left', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toServer')
  const reading = site.within(2_000, () => site.read())
  await site.sent()
  flow.inject('toClient', asAnswer(errorPacket(1053, '08S01', 'Server shutdown in progress')))
  assert.ok((await reading) > 0)
  assert.deepEqual(site.evictions, ['lost'])
  assert.equal(site.countOf('retried'), 1)
})

test('#47 1053 as the answer to a write leaves its outcome unknown: it may have been running', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toServer')
  const inserting = site.within(2_000, () => site.insert('47'))
  await site.sent()
  flow.inject('toClient', asAnswer(errorPacket(1053, '08S01', 'Server shutdown in progress')))
  await assert.rejects(inserting, (error) => error instanceof StatementLostError && error.outcome === 'unknown')
  await site.read()
  assert.equal(await site.count('47'), 0)
})
