import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { CommitUnknownError, StatementLostError } from '../../db/errors.ts'
import { asRead } from '../../db/statement-kind.ts'
import { inTransaction } from '../../db/transaction.ts'
import { errorPacket } from '../support/fault-proxy-flow.ts'
import { until } from '../support/fault-site.ts'
import {
  asAnswer,
  durationOf,
  type NoteSchema,
  openPoolSite,
  type PoolServer,
  type PoolSite,
  startPoolServer,
} from '../support/pool-site.ts'
import { killSessions, openPlainConnection, queryAsAdmin, setGlobal } from '../support/server-faults.ts'

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

function isLost(outcome: StatementLostError['outcome']): (error: unknown) => boolean {
  return (error) => error instanceof StatementLostError && error.outcome === outcome
}

test('#13 a transaction that loses its connection runs nothing outside itself, and its caller sees the loss', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  const inCallback: unknown[] = []
  const transaction = site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '13 before' }).execute()
    await killSessions(server, server.account.user)
    for (const text of ['13 after', '13 later']) {
      await trx
        .insertInto('note')
        .values({ text })
        .execute()
        .catch((error: unknown) => inCallback.push(error))
    }
    throw inCallback[0]
  })
  await assert.rejects(transaction, (error) => error === inCallback[0])
  assert.equal(inCallback.length, 2)
  assert.ok(inCallback.every(isLost('rolledBack')))
  await site.read()
  assert.equal(await countLike('13%'), 0)
  assert.equal(site.countOf('retried'), 0)
})

test('#13 a callback that hides the loss of its connection does not commit', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  const transaction = site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '13 hidden' }).execute()
    await killSessions(server, server.account.user)
    await trx
      .insertInto('note')
      .values({ text: '13 hidden too' })
      .execute()
      .catch(() => {})
  })
  await assert.rejects(transaction, isLost('rolledBack'))
  assert.equal(await countLike('13%'), 0)
})

test('#14 with replay a transaction that loses its connection runs once more, and takes effect once', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  let callbacks = 0
  await site.within(3_000, () =>
    inTransaction(
      site.db,
      async (trx) => {
        callbacks += 1
        await trx.insertInto('note').values({ text: '14 a' }).execute()
        if (callbacks === 1) await killSessions(server, server.account.user)
        await trx.insertInto('note').values({ text: '14 b' }).execute()
      },
      { replay: true },
    ),
  )
  assert.equal(callbacks, 2)
  assert.equal(await countLike('14%'), 2)
})

test('#14 without replay it runs once, and its caller is told that nothing took effect', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  let callbacks = 0
  const transaction = inTransaction(
    site.db,
    async (trx) => {
      callbacks += 1
      await trx.insertInto('note').values({ text: '14 c' }).execute()
      await killSessions(server, server.account.user)
      await trx.insertInto('note').values({ text: '14 d' }).execute()
    },
    { replay: false },
  )
  await assert.rejects(transaction, isLost('rolledBack'))
  assert.equal(callbacks, 1)
  assert.equal((await site.count('14 c')) + (await site.count('14 d')), 0)
})

test('#15 a COMMIT without an answer is not replayed either', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  let callbacks = 0
  const transaction = site.within(3_000, () =>
    inTransaction(
      site.db,
      async (trx) => {
        callbacks += 1
        await trx.insertInto('note').values({ text: '15 replay' }).execute()
        flow.stall('toClient')
      },
      { replay: true },
    ),
  )
  transaction.catch(() => {})
  assert.ok((await until(async () => (await site.count('15 replay')) === 1, 2_000)) < 2_000)
  flow.cut('fin')
  await assert.rejects(transaction, CommitUnknownError)
  assert.equal(callbacks, 1)
  assert.equal(await site.count('15 replay'), 1)
})

for (const direction of ['toServer', 'toClient'] as const) {
  const isCommitted = direction === 'toClient'
  test(`#15 a connection that dies on COMMIT leaves the outcome unknown (it ${isCommitted ? 'took' : 'did not take'} effect)`, async () => {
    site = await openPoolSite(server, { pool: { size: 1 } })
    const flow = await site.openOnly()
    const text = `15 ${direction}`
    let callbacks = 0
    const transaction = site.db.transaction().execute(async (trx) => {
      callbacks += 1
      await trx.insertInto('note').values({ text }).execute()
      flow.stall(direction)
    })
    if (isCommitted) assert.ok((await until(async () => (await site.count(text)) === 1, 2_000)) < 2_000)
    else await sleep(50)
    flow.cut('rst')
    await assert.rejects(transaction, CommitUnknownError)
    await site.read()
    assert.equal(callbacks, 1)
    assert.equal(await site.count(text), isCommitted ? 1 : 0)
    assert.equal(site.countOf('unknownOutcome'), 1)
    assert.equal(site.countOf('retried'), 0)
  })
}

test('#16 a ROLLBACK that the server refuses keeps the first error, and its connection goes', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  const first = new Error('the first error')
  const transaction = site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '16' }).execute()
    flow.stall('toServer')
    setImmediate(() => flow.inject('toClient', asAnswer(errorPacket(1105, 'HY000', 'Unknown error'))))
    throw first
  })
  await assert.rejects(transaction, (error) => error === first)
  assert.deepEqual(site.evictions, ['transactionOpen'])
  flow.resume()
  assert.equal(await site.count('16'), 0)
  await site.insert('16') // the lock went with the session
})

test('#17 a BEGIN that finds its connection closed runs on another, and the slot is not lost', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.cutAfter({ direction: 'toServer', bytes: 0, end: 'rst' })
  await site.db.transaction().execute((trx) => trx.insertInto('note').values({ text: '17' }).execute())
  assert.equal(await site.count('17'), 1)
  assert.equal(site.dialect.stats.total, 1)
})

test('#17 a BEGIN that is answered with 1053 runs on another connection', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toServer')
  const transaction = site.db.transaction().execute((trx) => trx.insertInto('note').values({ text: '17 b' }).execute())
  await site.sent()
  flow.inject('toClient', asAnswer(errorPacket(1053, '08S01', 'Server shutdown in progress')))
  await transaction
  assert.equal(await site.count('17 b'), 1)
  assert.equal(site.countOf('retried'), 1)
  assert.equal(flow.isOpen, false)
})

test("#17 an isolation level whose BEGIN never came is not the next transaction's", async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const id = await site.read()
  await site.db.connection().execute(async (held) => {
    await sql`set transaction isolation level serializable`.execute(held)
  })
  const level = await site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '17 c' }).execute()
    assert.equal((await trx.selectNoFrom(sql<number>`connection_id()`.as('id')).executeTakeFirstOrThrow()).id, id)
    return await openIsolationLevel()
  })
  assert.equal(level, 'REPEATABLE READ')
})

test("#17 an isolation level is its transaction's only", async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const levels: unknown[] = []
  const insertAndAsk = async (trx: Kysely<NoteSchema>, text: string) => {
    await trx.insertInto('note').values({ text }).execute()
    levels.push(await openIsolationLevel())
  }
  await site.db
    .transaction()
    .setIsolationLevel('serializable')
    .execute((trx) => insertAndAsk(trx, '17 d'))
  await site.db.transaction().execute((trx) => insertAndAsk(trx, '17 e'))
  assert.deepEqual(levels, ['SERIALIZABLE', 'REPEATABLE READ'])
})

/** Of the only open transaction on the server. */
async function openIsolationLevel(): Promise<unknown> {
  await sleep(150) // the servers keep an answer of this table for 100 ms
  const rows = await queryAsAdmin(server, 'SELECT trx_isolation_level AS level FROM information_schema.innodb_trx')
  assert.equal(rows.length, 1)
  return rows[0]?.['level']
}

async function countLike(pattern: string): Promise<number> {
  const [row] = await queryAsAdmin(server, `SELECT COUNT(*) AS count FROM ${server.table} WHERE text LIKE '${pattern}'`)
  return Number(row?.['count'])
}

test('#18 a COMMIT that is answered with 1213 was rolled back, and is no unknown outcome', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  const transaction = site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '18' }).execute()
    flow.stall('toServer')
    setImmediate(() => {
      flow.inject('toClient', asAnswer(errorPacket(1213, '40001', 'Deadlock found when trying to get lock')))
    })
  })
  await assert.rejects(transaction, isLost('rolledBack'))
  assert.equal(await site.count('18'), 0)
  assert.equal(site.countOf('unknownOutcome'), 0)
})

test("#18 a deadlock's victim was rolled back; its connection is used on, and nothing runs outside the transaction", async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  await site.insert('18 a')
  await site.insert('18 b')
  const ids = await site.fillIdle(2)
  const locked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const touch = async (mine: string, theirs: string, index: number) =>
    await site.db.transaction().execute(async (trx) => {
      const lock = (text: string) =>
        trx.selectFrom('note').select('id').where('text', '=', text).forUpdate().executeTakeFirstOrThrow()
      await lock(mine)
      locked[index]?.resolve()
      await locked[1 - index]?.promise
      await lock(theirs).catch(async (error: unknown) => {
        // What a careless callback does: in autocommit now, as far as the server is concerned.
        await trx
          .insertInto('note')
          .values({ text: '18 outside' })
          .execute()
          .catch(() => {})
        throw error
      })
    })
  const results = await Promise.allSettled([touch('18 a', '18 b', 0), touch('18 b', '18 a', 1)])
  const failed = results.filter((result) => result.status === 'rejected')
  assert.equal(failed.length, 1)
  assert.ok(isLost('rolledBack')(failed[0]?.reason))
  assert.equal(await site.count('18 outside'), 0)
  await site.settled({ idle: 2 })
  assert.deepEqual(new Set(await site.fillIdle(2)), new Set(ids))
  assert.deepEqual(site.evictions, [])
})

test('#18 with replay both transactions of a deadlock take effect, once each, on the connections they had', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  await site.insert('18 x')
  await site.insert('18 y')
  await site.fillIdle(2)
  const locked = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let callbacks = 0
  const touch = (mine: string, theirs: string, index: number) =>
    inTransaction(
      site.db,
      async (trx) => {
        callbacks += 1
        const lock = (text: string) =>
          trx.selectFrom('note').select('id').where('text', '=', text).forUpdate().executeTakeFirstOrThrow()
        await lock(mine)
        locked[index]?.resolve()
        await locked[1 - index]?.promise
        await lock(theirs)
        await trx
          .insertInto('note')
          .values({ text: `18 done by ${index}` })
          .execute()
      },
      { replay: true },
    )
  await site.within(5_000, () => Promise.all([touch('18 x', '18 y', 0), touch('18 y', '18 x', 1)]))
  assert.equal(callbacks, 3)
  assert.equal(await countLike('18 done%'), 2)
  assert.deepEqual(site.evictions, [])
})

test('#18 with replay a COMMIT that is answered with 1213 runs the transaction again', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  let callbacks = 0
  const transaction = site.within(5_000, () =>
    inTransaction(
      site.db,
      async (trx) => {
        callbacks += 1
        await trx.insertInto('note').values({ text: '18 again' }).execute()
        if (callbacks > 1) return
        flow.stall('toServer')
        setImmediate(() => {
          flow.inject('toClient', asAnswer(errorPacket(1213, '40001', 'Deadlock found when trying to get lock')))
          flow.cut('fin')
        })
      },
      { replay: true },
    ),
  )
  await transaction
  assert.equal(callbacks, 2)
  assert.equal(await site.count('18 again'), 1)
})

test('#18 a callback that hides a deadlock does not commit', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  let transactionError: unknown
  const transaction = site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '18 hidden' }).execute()
    flow.stall('toServer')
    const next = trx.selectNoFrom(sql`1`.as('one')).execute()
    flow.inject('toClient', asAnswer(errorPacket(1213, '40001', 'Deadlock found when trying to get lock')))
    await next.catch((error: unknown) => {
      transactionError = error
    })
  })
  await assert.rejects(transaction, isLost('rolledBack'))
  assert.ok(isLost('rolledBack')(transactionError))
  flow.cut('rst')
  assert.equal(await countLike('18 hidden%'), 0)
})

test('#19 after a lock wait timeout the transaction is rolled back before its connection is used again', async () => {
  const fault = await setGlobal(server, 'innodb_lock_wait_timeout', 1)
  const holder = await openPlainConnection({ ...server.account, host: server.account.host })
  try {
    site = await openPoolSite(server, { pool: { size: 1 } })
    await site.insert('19')
    await holder.query('BEGIN')
    await holder.query("SELECT id FROM note WHERE text = '19' FOR UPDATE")
    const id = await site.read()
    const transaction = site.db.transaction().execute(async (trx) => {
      await trx.insertInto('note').values({ text: '19 undone' }).execute()
      await trx.updateTable('note').set({ text: '19 changed' }).where('text', '=', '19').execute()
    })
    await assert.rejects(transaction, { errno: 1205 })
    assert.equal(await site.read(), id)
    assert.deepEqual(
      await queryAsAdmin(server, `SELECT trx_id FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = ${id}`),
      [],
    )
    assert.equal(await countLike('19%'), 1)
  } finally {
    holder.destroy()
    await fault.lift()
  }
})

test('#20 a callback that throws while its statement runs: the statement is killed, and its caller settled', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const first = new Error('the callback')
  let inner: Promise<unknown> | undefined
  const transaction = site.db.transaction().execute(async (trx) => {
    await trx.insertInto('note').values({ text: '20' }).execute()
    inner = trx.selectNoFrom(sql`sleep(20.5)`.as('slept')).execute()
    inner.catch(() => {})
    await site.running('sleep(20.5)')
    throw first
  })
  assert.ok((await durationOf(transaction)) < 500)
  await assert.rejects(transaction, (error) => error === first)
  assert.ok(inner)
  assert.ok((await durationOf(inner)) < 1_000)
  await assert.rejects(inner, isLost('rolledBack'))
  await site.settled({ acquired: 0 })
  const isStopped = async () => (await site.sessions()).every(({ info }) => !info?.includes('sleep(20.5)'))
  assert.ok((await until(isStopped, 1_000)) < 1_000, 'the statement was killed')
  assert.equal(await site.count('20'), 0)
  assert.deepEqual(site.evictions, ['stopped'])
})

test('#21 a session that its caller changed is reset before anyone else has it', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const id = await site.read()
  const mode = sql<string>`@@session.sql_mode`.as('mode')
  const before = await site.db.selectNoFrom(mode).executeTakeFirstOrThrow()
  await site.db.connection().execute(async (held) => {
    await sql`set @mine = 1, session sql_mode = 'ANSI_QUOTES'`.execute(held)
    await sql`create temporary table held_only (id int)`.execute(held).catch(() => {}) // without the privilege
    await sql`select get_lock('held', 0)`.execute(held)
  })
  const row = await site.db
    .selectNoFrom([
      sql<number>`connection_id()`.as('id'),
      sql<number | null>`@mine`.as('mine'),
      mode,
      sql<string>`@@session.time_zone`.as('zone'),
      sql<number | null>`is_used_lock('held')`.as('holder'),
    ])
    .executeTakeFirstOrThrow()
  assert.deepEqual(row, {
    id, // the same session: reset, not replaced
    mine: null,
    mode: before.mode,
    zone: '+00:00',
    holder: null,
  })
})

test("#21 a transaction that raw SQL began is not the next caller's", async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.db.connection().execute(async (held) => {
    await sql`begin`.execute(held)
    await held.insertInto('note').values({ text: '21' }).execute()
  })
  await site.insert('21 next')
  assert.equal(await site.count('21'), 0)
  assert.equal(await site.count('21 next'), 1)
})

test("#21 a BEGIN whose caller leaves before it is answered is not the next caller's transaction", async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const flow = await site.openOnly()
  flow.stall('toClient')
  const gone = new Error('the client has gone')
  const left = site.within(5_000, async (scope) => {
    const transaction = site.db.transaction().execute(() => Promise.resolve())
    await site.sent()
    scope.abort(gone)
    await transaction
  })
  await assert.rejects(left, (error) => error === gone)
  flow.resume()
  await site.insert('21 after')
  // Read by somebody else: it is committed.
  assert.equal(await site.count('21 after'), 1)
})

test('#21 a result that was not read to its end reaches nobody else: a short rest is read, for a long one the session goes', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const id = await site.read()
  const numbers = asRead(sql<{ n: number; text: string }>`(
    with recursive numbers as (select 1 as n union all select n + 1 from numbers where n < 900)
    select n, repeat('x', 80) as text from numbers
  )`)
  const short = site.db.selectFrom(numbers.as('many')).selectAll()
  for await (const { n } of short.stream()) if (n === 2) break
  assert.equal(await site.read(), id)
  const long = site.db.selectFrom([numbers.as('many'), numbers.as('more'), numbers.as('most')]).select('many.text')
  for await (const { text } of long.stream()) if (text) break
  assert.notEqual(await site.read(), id)
  assert.deepEqual(site.evictions, ['stopped'])
})
