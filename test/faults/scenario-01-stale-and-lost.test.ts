import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { StatementLostError } from '../../db/errors.ts'
import { asRead } from '../../db/statement-kind.ts'
import { errorPacket } from '../support/fault-proxy-flow.ts'
import { until } from '../support/fault-site.ts'
import { durationOf, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { killSessions, openPlainConnection } from '../support/server-faults.ts'

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

/** Loses the idle connections with `lose` and asks in the same turn of the loop, which has not polled in between. */
async function loseAndRead(lose: () => void): Promise<void> {
  for (let round = 1; round <= 4; round += 1) {
    await site.read()
    await sleep(5) // idle, and not "alive a moment ago"
    await setImmediate() // a machine under load can be in the turn of that answer still
    lose()
    await site.read()
  }
  assert.equal(site.countOf('retried'), 0)
  assert.deepEqual(site.evictions, ['lost', 'lost', 'lost', 'lost'])
}

test('#1 an idle connection that the server closed is replaced before anyone uses it', async () => {
  site = await openPoolSite(server, { pool: { size: 1, minIdle: 0 } })
  await site.openOnly()
  assert.equal(await killSessions(server, server.account.user), 2)
  await site.settled({ total: 0 })
  await site.read()
  assert.deepEqual(site.evictions, ['lost'])
  assert.equal(site.countOf('retried'), 0)
})

test('#2 a session that was killed while the loop was blocked is seen before the statement is sent', async () => {
  const { host, port } = server.account
  site = await openPoolSite(server, { pool: { size: 1 }, connection: { host, port } })
  const admin = await openPlainConnection(server.admin)
  for (let round = 1; round <= 4; round += 1) {
    const id = await site.read()
    await admin.query('SELECT 1') // idle, and not "alive a moment ago"
    const killed = admin.query(`KILL ${id}`)
    block(50)
    assert.notEqual(await site.read(), id)
    await killed
  }
  admin.destroy()
  assert.equal(site.countOf('retried'), 0)
  assert.deepEqual(site.evictions, ['lost', 'lost', 'lost', 'lost'])
})

/** Keeps the event loop busy, as a long computation does. */
function block(ms: number): void {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

test('#3 an RST that nobody has read yet is seen before the statement is sent', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await loseAndRead(() => site.proxy.cutAll('rst'))
})

test('#3 the last error packet of a session (4031, MariaDB: 1927) is seen before the statement is sent', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const packet = server.flavour === 'mysql' ? errorPacket(4031, 'HY000', 'Idle') : errorPacket(1927, '70100', 'Killed')
  await loseAndRead(() => {
    for (const flow of site.proxy.flows) {
      flow.inject('toClient', packet)
      flow.cut('fin')
    }
  })
})

test('#4 all idle connections killed at once cost no caller anything, and are opened once each', async () => {
  site = await openPoolSite(server, { pool: { size: 4 } })
  await site.fillIdle(4)
  const before = site.countOf('opened')
  await killSessions(server, server.account.user)
  const ids = await Promise.all(Array.from({ length: 40 }, () => site.read()))
  assert.equal(ids.length, 40)
  // Four and the control connection.
  assert.ok(site.countOf('opened') - before <= 5, `opened ${site.countOf('opened') - before}`)
  assert.equal(site.countOf('unknownOutcome'), 0)
})

test('#5 a silently forgotten idle connection costs the first caller less than one validation', async () => {
  site = await openPoolSite(server, { pool: { size: 1, validateAfterIdleMs: 100, validationTimeoutMs: 250 } })
  const flow = await site.openOnly()
  const [lost] = (await site.sessions()).filter(({ id }) => id !== undefined)
  assert.ok(lost)
  await sleep(110)
  flow.forget()
  const startedAtMs = performance.now()
  await site.read()
  const tookMs = performance.now() - startedAtMs
  // Served by one connection more, opened when the ping had taken 100 ms.
  assert.ok(tookMs >= 95 && tookMs < 245, `${tookMs} ms`)
  assert.ok((await until(() => site.evictions.length > 0, 500)) < 500, 'the ping had its 250 ms')
  assert.deepEqual(site.evictions, ['validationFailed'])
  // Not half-closed, and the server does not keep the session for hours either.
  assert.ok((await until(() => !flow.isOpen, 500)) < 500, 'the socket was closed')
  const isOneLeft = async () => (await site.sessions()).length === 2
  assert.ok((await until(isOneLeft, 2_000)) < 2_000, 'the forgotten session was killed')
})

test('#6 a read whose connection dies before the first byte of the answer runs once more', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  const reading = site.read(0.3)
  const { id } = await site.running('sleep(0.3)')
  flow.cut('rst')
  assert.notEqual(await reading, id)
  assert.equal(site.countOf('retried'), 1)
  assert.equal(site.countOf('opened'), 3) // with the control connection
})

for (const reached of [0, 1]) {
  test(`#7 an INSERT without an answer is never run again (it ${reached ? 'reached' : 'did not reach'} the server)`, async () => {
    site = await openPoolSite(server, { pool: { size: 1 } })
    const flow = await site.openOnly()
    const text = `seven ${reached}`
    flow.stall(reached ? 'toClient' : 'toServer')
    const inserting = site.insert(text)
    if (reached) assert.ok((await until(async () => (await site.count(text)) === 1, 2_000)) < 2_000)
    else await sleep(50)
    flow.cut('fin')
    await assert.rejects(inserting, (error) => error instanceof StatementLostError && error.outcome === 'unknown')
    await site.read() // over another connection
    assert.equal(await site.count(text), reached)
    assert.equal(site.countOf('retried'), 0)
    assert.equal(site.countOf('unknownOutcome'), 1)
  })
}

/** A table of 2000 numbered rows of 80 characters, out of nothing. */
const manyRows = asRead(
  sql<{ n: number; text: string }>`(
    with recursive numbers as (select 1 as n union all select n + 1 from numbers where n < 900)
    select n, repeat('x', 80) as text from numbers
  )`,
).as('many')

test('#8 a read whose connection dies in the middle of its rows runs once more, and has each row once', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.cutAfter({ direction: 'toClient', bytes: 20_000, end: 'rst' })
  const rows = await site.db.selectFrom(manyRows).select('n').select('text').execute()
  assert.deepEqual(
    rows.map(({ n }) => n),
    Array.from({ length: 900 }, (_, index) => index + 1),
  )
  assert.equal(site.countOf('retried'), 1)
})

test('#8 #9 rows streamed to a caller whose connection dies end in an error, and none comes twice', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.cutAfter({ direction: 'toClient', bytes: 20_000, end: 'fin' })
  const seen: number[] = []
  const reading = (async () => {
    for await (const { n } of site.db.selectFrom(manyRows).select('n').select('text').stream()) seen.push(n)
  })()
  const tookMs = await durationOf(reading)
  await assert.rejects(reading, (error) => error instanceof StatementLostError && error.outcome === 'unknown')
  assert.ok(tookMs < 1_000, `${tookMs} ms`)
  assert.ok(seen.length > 0 && seen.length < 900, `${seen.length} rows`)
  assert.equal(new Set(seen).size, seen.length)
  assert.equal(site.countOf('retried'), 0)
})

test('#9 a row stream on a connection that the network forgot ends within 2 s', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toClient')
  const reading = (async () => {
    for await (const row of site.db.selectFrom(manyRows).select('n').stream()) void row
  })()
  const tookMs = await durationOf(reading)
  await assert.rejects(reading, StatementLostError)
  assert.ok(tookMs < 2_000, `${tookMs} ms`)
  assert.deepEqual(site.evictions, ['forgotten'])
})

test('#9 a row stream whose caller is slower than the server is not taken for a lost one', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  let seen = 0
  for await (const row of site.db.selectFrom(manyRows).select('n').where('n', '<=', 40).stream()) {
    seen += row.n > 0 ? 1 : 0
    if (seen === 2) await sleep(1_200)
  }
  assert.equal(seen, 40)
  assert.deepEqual(site.evictions, [])
})

test('#9 a result that comes slowly is not taken for a lost one, though the server has sent it all', async () => {
  const slow = await startSlowNetwork(server.account)
  site = await openPoolSite(server, { pool: { size: 1 }, connection: slow.address })
  try {
    await site.read()
    const wide = sql<string>`repeat('x', 200000)`.as('wide')
    const reading = site.within(5_000, () => site.db.selectNoFrom(wide).executeTakeFirstOrThrow())
    const tookMs = await durationOf(reading)
    assert.equal((await reading).wide.length, 200_000)
    assert.ok(tookMs > 1_200, `${tookMs} ms: slow enough for the pool to wonder`)
    assert.deepEqual(site.evictions, [])
  } finally {
    slow.close()
  }
})

/** In front of a server: whatever it says comes with at most 3 kB in 20 ms. */
async function startSlowNetwork({ host, port }: { readonly host: string; readonly port: number }) {
  const listener = createServer((client) => {
    const upstream = connect({ host, port })
    client.pipe(upstream)
    const held: Buffer[] = []
    upstream.on('data', (chunk) => held.push(chunk))
    const timer = setInterval(() => {
      const all = Buffer.concat(held.splice(0))
      if (all.length > 3_000) held.push(all.subarray(3_000))
      if (all.length > 0) client.write(all.subarray(0, 3_000))
    }, 20)
    const end = () => {
      clearInterval(timer)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = { host: '127.0.0.1', port: (listener.address() as AddressInfo).port } // it listens on TCP
  return { address, close: () => listener.close() }
}

for (const kind of ['a read', 'an INSERT'] as const) {
  test(`#10 ${kind} on a connection that was closed while its caller held it was never sent, and runs elsewhere`, async () => {
    site = await openPoolSite(server, { pool: { size: 1 } })
    const flow = await site.openOnly()
    const text = `ten ${kind}`
    await site.db.connection().execute(async (held) => {
      flow.cut('fin')
      await until(() => !flow.isOpen, 1_000)
      await sleep(20) // the loop has seen it
      if (kind === 'an INSERT') await held.insertInto('note').values({ text }).execute()
      else await held.selectFrom('note').select('id').execute()
    })
    assert.deepEqual(
      site.events.filter(({ name }) => name === 'retried'),
      [{ name: 'retried', outcome: 'notSent' }],
    )
    assert.equal(await site.count(text), kind === 'an INSERT' ? 1 : 0)
  })
}

test("#11 4031 as a statement's answer (MySQL): it never ran, so a write runs elsewhere too", async (context) => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  if (server.flavour === 'mariadb') context.skip('4031 has another meaning on MariaDB')
  const flow = await site.openOnly()
  flow.stall('toServer') // as the real server, which has stopped reading
  const inserting = site.insert('eleven')
  await site.sent()
  flow.inject('toClient', errorPacket(4031, 'HY000', 'The client was disconnected by the server because of inactivity'))
  await inserting
  assert.equal(await site.count('eleven'), 1)
  assert.deepEqual(
    site.events.filter(({ name }) => name === 'retried'),
    [{ name: 'retried', outcome: 'refused' }],
  )
  assert.equal(flow.isOpen, false)
})

test("#11 1927 as a statement's answer (MariaDB): a read runs elsewhere, a write's outcome is unknown", async (context) => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  if (server.flavour === 'mysql') context.skip('1927 is an error of MariaDB')
  for (const kind of ['read', 'write'] as const) {
    await site.read()
    const [flow] = site.proxy.flows.filter(({ isOpen }) => isOpen)
    for (const each of site.proxy.flows) each.stall('toServer')
    const running = kind === 'read' ? site.read() : site.insert('eleven')
    await site.sent()
    flow?.inject('toClient', errorPacket(1927, '70100', 'Connection was killed'))
    if (kind === 'read') await running
    else await assert.rejects(running, (error) => error instanceof StatementLostError && error.outcome === 'unknown')
  }
  assert.equal(await site.count('eleven'), 0)
})

for (const [what, garbage] of [
  ['a packet of no bytes', '00000001'],
  ['an answer of random bytes', '1000000177a1fe03c90dd5ee120b4417a9c3b2d1'],
  ['rows that end in the middle of a field', '0100000101' + '05000002fefefe0101'],
  ['an answer out of order', '0100000903'],
] as const) {
  test(`#12 ${what} cost one connection and no caller anything`, async () => {
    site = await openPoolSite(server, { pool: { size: 2, minIdle: 0 } })
    await site.openOnly()
    const other = site.read(0.6)
    const { id } = await site.running('sleep(0.6)')
    const reading = site.within(2_000, () => site.read(0.5))
    await site.running('sleep(0.5)')
    const garbled = site.proxy.flows.at(-1)
    garbled?.inject('toClient', Buffer.from(garbage, 'hex'))
    assert.ok((await reading) > 0)
    assert.equal(await other, id)
    assert.equal(garbled?.isOpen, false)
    assert.equal(site.evictions.length, 1)
    assert.equal(site.countOf('retried'), 1)
  })
}
