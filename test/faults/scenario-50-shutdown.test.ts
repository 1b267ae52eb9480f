import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { PoolClosedError, StatementLostError } from '../../db/errors.ts'
import { until } from '../support/fault-site.ts'
import { lasting } from '../support/faults-run.ts'
import { durationOf, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

test('#50 a holder that is between two statements finishes after close() began', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  await site.fillIdle(2)
  let closing: Promise<void> | undefined
  let isClosed = false
  await site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '50 a' }).execute()
    closing = site.dialect.close({ deadlineMs: 2_000 }).then(() => {
      isClosed = true
    })
    await site.settled({ idle: 0, total: 1 })
    await assert.rejects(site.read(), PoolClosedError)
    await trx.insertInto('note').values({ text: '50 b' }).execute()
    assert.equal(isClosed, false)
  })
  assert.ok((await durationOf(closing ?? Promise.reject())) < 500)
  assert.equal((await site.count('50 a')) + (await site.count('50 b')), 2)
  assert.ok((await until(async () => (await site.sessions()).length === 0, 1_000)) < 1_000, 'control is gone too')
})

test('#50 callers who wait when close() begins are told at once; close() is one and the same', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const holding = site.read(0.3)
  await site.running('sleep(0.3)')
  const waiting = site.read()
  waiting.catch(() => {})
  const first = site.dialect.close({ deadlineMs: 2_000 })
  assert.equal(site.dialect.close({ deadlineMs: 1 }), first)
  assert.ok((await durationOf(waiting)) < 50)
  await assert.rejects(waiting, PoolClosedError)
  assert.ok((await holding) > 0)
  await first
})

test('#49 a statement that does not end is stopped on the server at the deadline, and its caller told', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const hanging = site.read(20.49)
  hanging.catch(() => {})
  await site.running('sleep(20.49)')
  const tookMs = await durationOf(site.dialect.close({ deadlineMs: 300 }))
  assert.ok(tookMs >= 295 && tookMs < 800, `${tookMs} ms`)
  await assert.rejects(hanging, (error) => error instanceof PoolClosedError || error instanceof StatementLostError)
  assert.ok((await until(async () => (await site.sessions()).length === 0, 1_000)) < 1_000)
})

test('#49 close() ends in time with a server that answers nothing', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  await site.fillIdle(2)
  const hanging = site.read(20.5)
  hanging.catch(() => {})
  await site.running('sleep(20.5)')
  await server.freeze()
  try {
    const tookMs = await durationOf(site.dialect.close({ deadlineMs: 300 }))
    assert.ok(tookMs >= 295 && tookMs < 1_500, `${tookMs} ms`)
    assert.ok((await durationOf(hanging)) < 100)
  } finally {
    await server.thaw()
  }
})

test('#50 close() while connections are being validated or opened does not wait for its deadline', async () => {
  site = await openPoolSite(server, { pool: { size: 4, validateAfterIdleMs: 0 } })
  await site.fillIdle(2)
  const reading = Promise.allSettled([site.read(), site.read(), site.read(), site.read()])
  await Promise.resolve()
  assert.ok((await durationOf(site.dialect.close({ deadlineMs: 2_000 }))) < 500)
  await reading
})

/** Resolves when the pool has not tried to connect for so long. */
async function untilNoAttempts(ms: number): Promise<void> {
  const attempts = () => site.countOf('opened') + site.countOf('connectFailed')
  for (let before = -1; before !== attempts(); ) {
    before = attempts()
    await sleep(ms)
  }
}

test('#53 reads go on while the server is killed and started, over and over', async () => {
  site = await openPoolSite(server, { pool: { size: 8 } })
  let isOver = false
  const tookMs: number[] = []
  const failures: unknown[] = []
  const reader = async () => {
    while (!isOver) {
      const startedAtMs = performance.now()
      await site.within(20_000, () => site.read()).catch((error: unknown) => failures.push(error))
      tookMs.push(performance.now() - startedAtMs)
      await sleep(5)
    }
  }
  const readers = Promise.all(Array.from({ length: 8 }, reader))
  const afterMs: number[] = []
  for (let round = 0; round < lasting(20, 2); round += 1) {
    await untilNoAttempts(1_100) // ten a second are allowed: those that refill the pool would be missed
    await server.kill()
    await server.start()
    afterMs.push(await durationOf(site.within(5_000, () => site.read())))
  }
  isOver = true
  await readers
  assert.deepEqual(failures, [])
  assert.ok(tookMs.length > 100, `${tookMs.length} reads`)
  assert.ok(Math.max(...afterMs) < 600, `${Math.max(...afterMs)} ms after the server was back`)
  assert.equal(site.countOf('outageStarted'), site.countOf('outageEnded'))
})

/** Keeps the event loop busy, as a collection of garbage or a long computation does. */
function block(ms: number): void {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

for (const stallMs of [lasting(700, 300), lasting(5_000, 1_000)]) {
  test(`#54 a stall of the loop of ${stallMs} ms while connections are pinged costs none of them`, async () => {
    const { host, port } = server.account // the proxy would stall too
    const pool = { size: 4, minIdle: 4, validateAfterIdleMs: 0, validationTimeoutMs: 100, keepaliveMs: 100 }
    site = await openPoolSite(server, { pool, connection: { host, port } })
    const ids = await site.fillIdle(4)
    for (let round = 0; round < 2; round += 1) {
      const reads = Promise.all(Array.from({ length: 4 }, () => site.read()))
      await new Promise((resolve) => setImmediate(resolve)) // the pings are on their way
      block(stallMs)
      for (const id of await reads) assert.ok(ids.includes(id))
    }
    assert.deepEqual(site.evictions, [])
    assert.equal(site.countOf('retried'), 0)
  })
}

test('#54 a stall of the loop while a statement runs long costs no connection', async () => {
  const { host, port } = server.account
  site = await openPoolSite(server, { pool: { size: 1 }, connection: { host, port } })
  const id = await site.read()
  const reading = site.read(0.6)
  await site.running('sleep(0.6)')
  block(1_500)
  assert.equal(await reading, id)
  assert.equal(await site.read(), id)
  assert.deepEqual(site.evictions, [])
})
