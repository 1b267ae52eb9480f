import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql, type Transaction } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { CommitUnknownError, DeadlineExceededError, StatementLostError } from '../../db/errors.ts'
import { inTransaction } from '../../db/transaction.ts'
import { until } from '../support/fault-site.ts'
import {
  durationOf,
  type NoteSchema,
  openPoolSite,
  type PoolServer,
  type PoolSite,
  startPoolServer,
  startTwin,
} from '../support/pool-site.ts'
import { countRows, killSessions, setReadOnly } from '../support/server-faults.ts'
import { createSchemaOn } from '../support/test-database.ts'
import { createTestApp } from './http-fixture.ts'

let server: PoolServer
let site: PoolSite
/** How often the callback of the test's transaction ran. */
let runs: number

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

type Work = (trx: Transaction<NoteSchema>) => Promise<void>

/** Inserts a note, and then does what the test wants, in one transaction that may be replayed. */
async function insertWith(text: string, work: Work = async () => {}): Promise<void> {
  runs = 0
  await inTransaction(
    site.db,
    async (trx) => {
      runs += 1
      await trx.insertInto('note').values({ text }).execute()
      await work(trx)
    },
    { replay: true },
  )
}

function isLost(outcome: StatementLostError['outcome']): (error: unknown) => boolean {
  return (error) => error instanceof StatementLostError && error.outcome === outcome
}

const readOne = (trx: Transaction<NoteSchema>) => trx.selectNoFrom(sql`1`.as('one')).execute()

test('a transaction that loses its connection before COMMIT runs again, whole', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  await insertWith('lost', async (trx) => {
    if (runs === 1) await killSessions(server, server.account.user)
    await readOne(trx)
  })
  assert.equal(runs, 2)
  assert.equal(await site.count('lost'), 1)
  assert.equal(site.countOf('retried'), 1)
  assert.equal(site.countOf('unknownOutcome'), 0)
})

test('without replay its caller sees the loss', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  runs = 0
  const transaction = inTransaction(
    site.db,
    async (trx) => {
      runs += 1
      await trx.insertInto('note').values({ text: 'not again' }).execute()
      await killSessions(server, server.account.user)
      await readOne(trx)
    },
    { replay: false },
  )
  await assert.rejects(transaction, isLost('rolledBack'))
  assert.equal(runs, 1)
  assert.equal(await site.count('not again'), 0)
})

test('a transaction that loses every connection it gets may be the reason, and is given up', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  const transaction = site.within(5_000, () =>
    insertWith('poison', async (trx) => {
      await killSessions(server, server.account.user)
      await readOne(trx)
    }),
  )
  await assert.rejects(transaction, isLost('rolledBack'))
  assert.equal(runs, 5)
  assert.equal(await site.count('poison'), 0)
})

test('what a callback throws ends the transaction at once', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const own = new Error('its own')
  await assert.rejects(
    insertWith('thrown', () => Promise.reject(own)),
    (error) => error === own,
  )
  await assert.rejects(
    insertWith('twice', (trx) => trx.insertInto('note').values({ text: 'twice' }).execute().then()),
    {
      errno: 1062,
    },
  )
  assert.equal(runs, 1)
  assert.equal((await site.count('thrown')) + (await site.count('twice')), 0)
})

test("deadlock's victims run again until both have committed", async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  await site.insert('row a')
  await site.insert('row b')
  const locked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const ran = [0, 0]
  const touch = async (mine: string, theirs: string, index: number) =>
    await inTransaction(
      site.db,
      async (trx) => {
        ran[index] = (ran[index] ?? 0) + 1
        const lock = (text: string) =>
          trx.selectFrom('note').select('id').where('text', '=', text).forUpdate().executeTakeFirstOrThrow()
        await lock(mine)
        locked[index]?.resolve()
        await locked[1 - index]?.promise
        await lock(theirs)
        await trx
          .insertInto('note')
          .values({ text: `touched by ${index}` })
          .execute()
      },
      { replay: true },
    )
  await site.within(5_000, () => Promise.all([touch('row a', 'row b', 0), touch('row b', 'row a', 1)]))
  assert.equal((ran[0] ?? 0) + (ran[1] ?? 0), 3)
  assert.equal((await site.count('touched by 0')) + (await site.count('touched by 1')), 2)
})

test('a COMMIT that was not answered is never repeated, though it took effect', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  const transaction = insertWith('unanswered', async () => flow.stall('toClient'))
  transaction.catch(() => {})
  assert.ok((await until(async () => (await site.count('unanswered')) === 1, 2_000)) < 2_000)
  flow.cut('rst')
  await assert.rejects(transaction, CommitUnknownError)
  assert.equal(runs, 1)
  assert.equal(site.countOf('retried'), 0)
})

test('a server that turns read-only before COMMIT refuses it: rolled back, and run again when that is over', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const errors: unknown[] = []
  await site.within(5_000, async () => {
    const transaction = insertWith('commit refused', async () => {
      if (runs > 1) return
      const readOnly = await setReadOnly(server)
      setTimeout(() => void readOnly.lift().catch((error: unknown) => errors.push(error)), 300)
    })
    await transaction
  })
  assert.ok(runs >= 2, `${runs} runs`)
  assert.equal(await site.count('commit refused'), 1)
  assert.equal(site.countOf('failover'), 1)
  assert.equal(site.countOf('unknownOutcome'), 0)
  assert.deepEqual(site.evictions, ['wrongServer'])
  assert.deepEqual(errors, [])
})

test('a transaction that a read-only server refuses moves to the server that new connections reach', async () => {
  const twin = await startTwin(server)
  site = await openPoolSite(server, { pool: { size: 4 } })
  const readOnly = await setReadOnly(server)
  try {
    await site.fillIdle(3)
    site.proxy.target = twin.account
    await site.within(3_000, () => insertWith('moved'))
    assert.equal(runs, 2)
    assert.equal(await countRows(twin, twin.table, "text = 'moved'"), 1)
    assert.equal(await site.count('moved'), 0)
    assert.equal(site.countOf('failover'), 1)
    assert.ok(
      site.evictions.every((reason) => reason === 'wrongServer'),
      site.evictions.join(),
    )
  } finally {
    await readOnly.lift()
    await site.dispose()
    await twin.dispose()
  }
})

test('while every server refuses it comes back with pauses, and ends at the deadline with the refusal', async () => {
  // A scope's time counts alone.
  site = await openPoolSite(server, { pool: { size: 4, acquireTimeoutMs: 600, connectTimeoutMs: 500 } })
  const readOnly = await setReadOnly(server)
  try {
    const transaction = site.within(1_500, () => insertWith('refused'))
    const tookMs = await durationOf(transaction)
    await assert.rejects(transaction, isLost('refused'))
    assert.ok(tookMs >= 1_490 && tookMs <= 1_600, `${tookMs} ms`)
    assert.ok(runs >= 6 && runs <= 60, `${runs} runs`)
    const failovers = site.countOf('failover')
    assert.ok(failovers >= 1 && failovers <= 2, `${failovers} failovers`)
    assert.ok(site.proxy.acceptedAtMs.length <= 6, `${site.proxy.acceptedAtMs.length} connections`)
  } finally {
    await readOnly.lift()
  }
  assert.equal(await site.count('refused'), 0)
  await site.within(1_000, () => insertWith('refused'))
  assert.equal(await site.count('refused'), 1)
})

test('the refusal stays the answer when the deadline meets a statement of a later run', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const readOnly = await setReadOnly(server)
  runs = 0
  const work: Work = async (trx) => {
    runs += 1
    if (runs === 2) await trx.selectNoFrom(sql`sleep(20.8)`.as('slept')).execute()
    await trx.insertInto('note').values({ text: 'refused first' }).execute()
  }
  try {
    const transaction = site.within(1_000, () => inTransaction(site.db, work, { replay: true }))
    await assert.rejects(transaction, isLost('refused'))
    assert.equal(runs, 2)
  } finally {
    await readOnly.lift()
  }
})

test('without a scope a refused transaction comes back for as long as a connection would be waited for', async () => {
  site = await openPoolSite(server, { pool: { size: 1, acquireTimeoutMs: 600, connectTimeoutMs: 500 } })
  const readOnly = await setReadOnly(server)
  try {
    const transaction = insertWith('unbounded')
    const tookMs = await durationOf(transaction)
    await assert.rejects(transaction, isLost('refused'))
    assert.ok(tookMs >= 590 && tookMs <= 1_300, `${tookMs} ms`)
  } finally {
    await readOnly.lift()
  }
})

test('a caller who leaves during a pause ends it', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const readOnly = await setReadOnly(server)
  const left = new Error('left')
  try {
    const transaction = site.within(5_000, async (scope) => {
      setTimeout(() => scope.abort(left), 700)
      await insertWith('left')
    })
    const tookMs = await durationOf(transaction)
    await assert.rejects(transaction, (error) => error === left)
    assert.ok(tookMs >= 690 && tookMs <= 780, `${tookMs} ms`)
    const ran = runs
    await sleep(500)
    assert.equal(runs, ran)
  } finally {
    await readOnly.lift()
  }
})

test('a deadline while a statement runs ends the transaction, and nothing of it stays', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const transaction = site.within(300, () =>
    insertWith('too slow', async (trx) => void (await trx.selectNoFrom(sql`sleep(20.7)`.as('slept')).execute())),
  )
  await assert.rejects(transaction, DeadlineExceededError)
  assert.ok((await until(() => site.evictions.length > 0, 2_000)) < 2_000, 'its connection went')
  assert.deepEqual(site.evictions, ['stopped'])
  assert.equal(runs, 1)
  assert.equal(await site.count('too slow'), 0)
})

test('a deadline before COMMIT was sent leaves nothing unknown, one that passes during it does', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  const early = site.within(200, () => insertWith('before', () => sleep(250)))
  await assert.rejects(early, DeadlineExceededError)
  assert.equal(await site.count('before'), 0)
  assert.equal(site.countOf('unknownOutcome'), 0)
  const late = site.within(200, () => insertWith('during', async () => flow.stall('toServer')))
  await assert.rejects(
    late,
    (error) => error instanceof CommitUnknownError && error.cause instanceof DeadlineExceededError,
  )
  assert.equal(runs, 1)
  assert.equal(site.countOf('unknownOutcome'), 1)
})

test('a BEGIN that is lost has begun nothing: that is certain, and the transaction runs again', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toServer')
  const transaction = site.db
    .transaction()
    .setIsolationLevel('serializable')
    .execute((trx) => trx.insertInto('note').values({ text: 'begin' }).execute())
  transaction.catch(() => {})
  await site.sent()
  flow.cut('rst')
  await assert.rejects(transaction, isLost('rolledBack'))
})

test('POST /cities: 503 while the server is read-only, 201 when that ends in time, 201 after a loss; each name once', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const schema = await createSchemaOn(server.login)
  const { flavour, version } = server
  const service = await createTestApp({ ...schema, flavour, version })
  const post = (city: string, seconds: string) =>
    service.app.request('/cities', {
      method: 'POST',
      body: JSON.stringify({ city, countryId: 1 }),
      headers: {
        Authorization: `Bearer ${service.token}`,
        'Content-Type': 'application/json',
        'Request-Timeout': seconds,
      },
    })
  try {
    const readOnly = await setReadOnly(server)
    const refused = await post('never', '0.5')
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('Retry-After'), '1')
    const { detail } = (await refused.json()) as { detail: string }
    assert.equal(detail, 'The database cannot be used now. Nothing was changed.')
    const waiting = post('once', '5')
    await sleep(300)
    await readOnly.lift()
    assert.equal((await waiting).status, 201)
    await killSessions(server, schema.app.user)
    assert.equal((await post('after', '5')).status, 201)
    const { items } = (await (await service.app.request('/cities?sort=-cityId&limit=3')).json()) as {
      items: { city: string }[]
    }
    assert.deepEqual(
      items.map(({ city }) => city).filter((city) => ['never', 'once', 'after'].includes(city)),
      ['after', 'once'],
    )
  } finally {
    await service.close()
  }
})
