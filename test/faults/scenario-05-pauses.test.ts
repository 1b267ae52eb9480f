import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { asRead } from '../../db/statement-kind.ts'
import { inTransaction } from '../../db/transaction.ts'
import { until } from '../support/fault-site.ts'
import { durationOf, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

/** A pool of so many idle connections, the control connection open as well, and nobody heard of lately. */
async function openPaused(size: number, pauseMs = 600): Promise<void> {
  site = await openPoolSite(server, { pool: { size } })
  if (size === 1) await site.openOnly()
  else {
    const holders = Array.from({ length: size }, () => readOnly(1.5)) // sixteen connections take more than a second
    await Promise.all(holders)
    await site.settled({ idle: size, connecting: 0 })
    // What is expected of a hold is what most of the last ones took.
    for (let count = 0; count < 64; count += 1) await readOnly()
  }
  await sleep(pauseMs)
}

/** A read that takes `seconds`, and says over which session. */
async function readOnly(seconds = 0): Promise<number> {
  const query = sql<{ id: number }>`select connection_id() as id, sleep(${sql.lit(seconds)}) as slept`.compile(site.db)
  const { rows } = await site.db.executeQuery(asRead(query))
  return rows[0]?.id ?? 0
}

const COM_QUERY = 3
const COM_PING = 14

/** What is written to the server from now on over connections that are open: the command of each packet. */
function watchCommands(): readonly number[] {
  const commands: number[] = []
  for (const flow of site.proxy.flows) flow.watch('toServer', (chunk) => commands.push(chunk[4] ?? -1))
  return commands
}

test('a read after a pause goes out at once: no round trip before it, no question, no other connection', async () => {
  await openPaused(4)
  const commands = watchCommands()
  const { opened } = site.dialect.counters
  await readOnly()
  assert.deepEqual(commands, [COM_QUERY])
  assert.equal(site.dialect.counters.opened, opened)
})

test('a write after a pause pings first; one after a read does not', async () => {
  await openPaused(1)
  const commands = watchCommands()
  await site.insert('after a pause')
  assert.deepEqual(commands, [COM_PING, COM_QUERY])
  await sleep(600)
  await readOnly()
  await site.insert('after a read')
  assert.equal(commands[2], COM_QUERY)
  assert.deepEqual(
    commands.slice(2).filter((command) => command === COM_PING),
    [],
  )
})

test('a slow read after a pause runs once: the server says that it is at work on it', async () => {
  await openPaused(4)
  const { opened } = site.dialect.counters
  const reading = readOnly(0.7)
  const { id } = await site.running('sleep(0.7)')
  await sleep(500)
  const runs = (await site.sessions()).filter(({ info }) => info?.includes('sleep(0.7)'))
  assert.deepEqual(
    runs.map((session) => session.id),
    [id],
  )
  assert.equal(await reading, id)
  assert.equal(site.countOf('retried'), 0)
  assert.equal(site.dialect.counters.opened, opened)
  assert.deepEqual(site.evictions, [])
})

test('a slow read after a pause runs once when its connection works and the one for questions is forgotten', async () => {
  await openPaused(1)
  site.proxy.flows[1]?.forget()
  const tookMs = await durationOf(readOnly(0.12))
  assert.ok(tookMs < 200, `${tookMs} ms`)
  await site.settled({ acquired: 0, waiting: 0 })
  assert.ok(site.dialect.stats.total >= 1)
})

test.each([1, 4, 16])('all forgotten, a pool of %i: reads, writes and transactions are served', async (size) => {
  await openPaused(size)
  site.proxy.forgetAll()
  const work = Array.from({ length: 3 * size }, (_, index) => {
    const use = [
      () => readOnly(),
      () => site.insert(`${size}-${index}`),
      () =>
        inTransaction(
          site.db,
          (trx) =>
            trx
              .insertInto('note')
              .values({ text: `${size}-${index}` })
              .execute(),
          { replay: false },
        ),
    ][index % 3] as () => Promise<unknown>
    return durationOf(site.within(2_000, use).catch((error) => failures.push(error)))
  })
  const failures: unknown[] = []
  const tookMs = await Promise.all(work)
  assert.deepEqual(failures, [])
  assert.ok(Math.max(...tookMs) < 600, `${Math.max(...tookMs)} ms`)
  for (let index = 0; index < 3 * size; index += 1) {
    assert.equal(await site.count(`${size}-${index}`), index % 3 === 0 ? 0 : 1)
  }
  // Sockets as well: nothing that the network has forgotten is left open.
  assert.ok((await until(() => !site.proxy.flows.some((flow) => flow.isForgotten), 3_000)) < 3_000)
  assert.ok(site.dialect.stats.total <= size)
})

test('an answer that comes late, while others are asked, is taken, and its connection stays', async () => {
  await openPaused(1)
  const [flow, control] = site.proxy.flows
  control?.forget() // no word about it
  flow?.stall('toClient')
  site.proxy.reception = { name: 'mute' } // and no other connection
  const reading = readOnly()
  await sleep(300)
  flow?.resume()
  const id = await reading
  assert.equal(await readOnly(), id)
  assert.equal(site.countOf('retried'), 0)
  site.proxy.reception = { name: 'forward' }
  await site.settled({ acquired: 0, waiting: 0 })
})

test('a caller that leaves while its late read waits for another connection leaves nothing behind', async () => {
  await openPaused(1)
  site.proxy.forgetAll()
  site.proxy.reception = { name: 'mute' }
  const gone = new Error('gone')
  const reading = site.within(5_000, async (scope) => {
    setTimeout(() => scope.abort(gone), 200)
    return await readOnly()
  })
  await assert.rejects(reading, (error) => error === gone)
  await site.settled({ acquired: 0, waiting: 0 }, 3_000)
  site.proxy.reception = { name: 'forward' }
  assert.ok((await site.within(3_000, () => readOnly())) > 0)
})

test.each([300, 600])('a link whose replies take %i ms: a check finds all alive, and evicts none', async (replyMs) => {
  site = await openPoolSite(server, { pool: { size: 4 } })
  site.proxy.delayReplies(replyMs)
  await Promise.all([readOnly(0.5), readOnly(0.5), readOnly(0.5)])
  await site.settled({ idle: 3 })
  for (let round = 1; round <= 2; round += 1) {
    await sleep(600)
    const startedAtMs = performance.now()
    const { checked, alive, evicted, isAnswering } = await site.dialect.check()
    const tookMs = performance.now() - startedAtMs
    assert.deepEqual({ checked, alive, evicted, isAnswering }, { checked: 3, alive: 3, evicted: 0, isAnswering: true })
    assert.ok(tookMs >= replyMs && tookMs < 850, `${tookMs} ms`)
  }
  await Promise.all([readOnly(), readOnly(), site.insert(`over ${replyMs} ms`)])
  assert.deepEqual(site.evictions, [])
})

test('a link that becomes slow and quick again costs no connection, and no caller anything', async () => {
  await openPaused(4)
  for (const replyMs of [300, 0, 300, 0]) {
    site.proxy.delayReplies(replyMs)
    const check = site.dialect.check()
    const reads = Array.from({ length: 4 }, () => site.within(3_000, () => readOnly()))
    await check
    await Promise.all(reads)
    await sleep(700)
    await site.within(3_000, () => site.insert(`${replyMs} ${performance.now()}`))
  }
  assert.deepEqual(
    site.evictions.filter((reason) => reason !== 'surplus'),
    [],
  )
})
