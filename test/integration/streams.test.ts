import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, sql, type Transaction } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { systemClock } from '../../db/clock.ts'
import { type ResilientMysqlDialect, resilientMysqlDialect } from '../../db/dialect.ts'
import { StatementLostError, UnreadStreamError } from '../../db/errors.ts'
import type { PoolOptions } from '../../db/pool/options.ts'
import type { PoolEvent } from '../../db/pool/stats.ts'
import { Scope } from '../../db/scope.ts'
import { inTransaction } from '../../db/transaction.ts'
import { until } from '../support/fault-site.ts'
import { createRandom } from '../support/random.ts'
import { asAdmin, killSessions, listSessions } from '../support/server-faults.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

interface Schema {
  note: { id: number; text: string }
}

const ROWS = 1_000
let schema: TestSchema
let db: Kysely<Schema>
let dialect: ResilientMysqlDialect
let events: PoolEvent[]
const scopes = new AsyncLocalStorage<Scope>()

beforeAll(async () => {
  schema = await createTestSchema()
  const admin = new Kysely<Schema>({ dialect: resilientMysqlDialect({ connection: schema.migrator }) })
  await sql`CREATE TABLE note (id INT PRIMARY KEY, text VARCHAR(100) NOT NULL)`.execute(admin)
  const values = Array.from({ length: ROWS }, (_, index) => ({ id: index + 1, text: 'x'.repeat(80) }))
  await admin.insertInto('note').values(values).execute()
  await admin.destroy()
})
afterAll(() => schema.drop())
afterEach(async () => {
  await dialect.close({ deadlineMs: 1_000 })
  const { total, idle, acquired, waiting } = dialect.stats
  assert.deepEqual({ total, idle, acquired, waiting }, { total: 0, idle: 0, acquired: 0, waiting: 0 })
})

function open(pool: Partial<PoolOptions> = {}): void {
  events = []
  dialect = resilientMysqlDialect({
    connection: schema.app,
    pool: { size: 1, ...pool },
    currentScope: () => scopes.getStore(),
    onEvent: (event) => events.push(event),
  })
  db = new Kysely<Schema>({ dialect })
}

async function within<T>(timeoutMs: number, task: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope(systemClock, timeoutMs)
  try {
    return await scopes.run(scope, () => task(scope))
  } finally {
    scope.end()
  }
}

const evictions = () => events.flatMap((event) => (event.name === 'evicted' ? [event.reason] : []))

async function sessionId(executor: Kysely<Schema>): Promise<number> {
  const { id } = await executor.selectNoFrom(sql<number>`connection_id()`.as('id')).executeTakeFirstOrThrow()
  return id
}

/** Some of the table's rows, a hundred times as many, or one each 20 ms for 20 s. */
const some = (executor: Kysely<Schema>, count: number) =>
  executor.selectFrom('note').selectAll().where('id', '<=', count).orderBy('id').stream()
const many = (executor: Kysely<Schema>) =>
  executor.selectFrom(['note', 'note as other']).select(['note.id', 'other.text']).where('other.id', '<=', 100).stream()
const slow = (executor: Kysely<Schema>) =>
  executor
    .selectFrom('note')
    .select([sql`repeat('x', 20000)`.as('text'), sql`sleep(0.02)`.as('slept')])
    .stream()

async function leaveAfter(rows: AsyncIterable<unknown>, count: number): Promise<void> {
  let seen = 0
  for await (const _ of rows) {
    seen += 1
    if (seen === count) break
  }
  assert.equal(seen, count)
}

const kinds = [
  ['20 rows', (executor: Kysely<Schema>) => some(executor, 20)],
  ['1,000 rows', (executor: Kysely<Schema>) => some(executor, ROWS)],
  ['100,000 rows', many],
] as const

for (const [name, rows] of kinds) {
  test(`a transaction that leaves a stream of ${name} goes on, commits and keeps its connection`, async () => {
    open()
    const id = await sessionId(db)
    const text = `left ${name}`
    await db.transaction().execute(async (trx) => {
      await leaveAfter(rows(trx), 2)
      await trx.updateTable('note').set({ text }).where('id', '=', 1).execute()
      await leaveAfter(rows(trx), 3)
      await leaveAfter(rows(trx), 1)
    })
    const row = await db.selectFrom('note').select('text').where('id', '=', 1).executeTakeFirst()
    assert.equal(row?.text, text)
    assert.equal(await sessionId(db), id)
    assert.deepEqual(evictions(), [])
  })
}

test('a stream that is left outside a transaction keeps its connection when the rest of it is short', async () => {
  open()
  const id = await sessionId(db)
  for (let count = 0; count < 20; count += 1) await leaveAfter(some(db, ROWS), 1 + count)
  await assert.rejects(
    (async () => {
      for await (const _ of some(db, ROWS)) throw new Error('thrown by the reader')
    })(),
    { message: 'thrown by the reader' },
  )
  assert.equal(await sessionId(db), id)
  assert.deepEqual(evictions(), [])
})

test('what is left of a long stream is waited for as long as a connection is, and then said; nothing is replayed', async () => {
  open({ acquireTimeoutMs: 400, connectTimeoutMs: 400 })
  await sessionId(db)
  let runs = 0
  const startedAtMs = performance.now()
  const losing = inTransaction(
    db,
    async (trx) => {
      runs += 1
      await trx.updateTable('note').set({ text: 'never' }).where('id', '=', 2).execute()
      await leaveAfter(slow(trx), 2)
      await trx.updateTable('note').set({ text: 'never either' }).where('id', '=', 3).execute()
    },
    { replay: true },
  )
  await assert.rejects(losing, (error) => error instanceof UnreadStreamError && error.waitedMs >= 395)
  const tookMs = performance.now() - startedAtMs
  assert.ok(tookMs >= 395 && tookMs < 900, `${tookMs} ms`)
  assert.equal(runs, 1)
  const found = await within(2_000, () => db.selectFrom('note').select('id').where('text', 'like', 'never%').execute())
  assert.deepEqual(found, [])
  assert.deepEqual(evictions(), ['stopped'])
  assert.ok((await until(isSlowGone, 1_000)) < 1_000, 'the server has stopped it')
})

/** Whether no session streams any more. */
async function isSlowGone(): Promise<boolean> {
  const sessions = await listSessions(schema, schema.app.user)
  return sessions.every(({ info }) => !info?.includes('repeat'))
}

test('a COMMIT behind what is left of a long stream is not sent, and says so', async () => {
  open({ acquireTimeoutMs: 300, connectTimeoutMs: 300 })
  const losing = db.transaction().execute(async (trx) => {
    await trx.updateTable('note').set({ text: 'uncommitted' }).where('id', '=', 4).execute()
    await leaveAfter(slow(trx), 1)
  })
  await assert.rejects(losing, UnreadStreamError)
  const found = await within(2_000, () =>
    db.selectFrom('note').select('id').where('text', '=', 'uncommitted').execute(),
  )
  assert.deepEqual(found, [])
})

test("a caller's deadline bounds the wait, and says what it was for", async () => {
  open()
  await sessionId(db)
  const startedAtMs = performance.now()
  const losing = within(300, () =>
    db.transaction().execute(async (trx) => {
      await leaveAfter(slow(trx), 1)
      await sessionId(trx)
    }),
  )
  await assert.rejects(losing, UnreadStreamError)
  assert.ok(performance.now() - startedAtMs < 500)
  assert.ok((await until(isSlowGone, 1_000)) < 1_000)
})

test('a caller that waits for a statement inside its own open stream costs no connection beyond its deadline', async () => {
  open({ size: 2 })
  const never: Promise<unknown>[] = []
  const inside = async (trx: Transaction<Schema>) => {
    for await (const _ of many(trx)) await sessionId(trx) // Kysely lets it in after the stream only
  }
  const startedAtMs = performance.now()
  for (let count = 0; count < 2; count += 1) {
    never.push(within(300, () => Promise.race([db.transaction().execute(inside), sleep(350)])))
  }
  await within(2_000, () => sessionId(db))
  const tookMs = performance.now() - startedAtMs
  assert.ok(tookMs >= 295 && tookMs < 900, `${tookMs} ms`)
  await Promise.all(never)
  assert.ok((await until(() => Promise.resolve(dialect.stats.acquired === 0), 1_000)) < 1_000)
})

test('a stream that its signal ends gives its connection back, its reader at work or waiting', async () => {
  open()
  for (const rows of [slow, many]) {
    for (const isAtWork of [true, false]) {
      const controller = new AbortController()
      const { signal } = controller
      const reading = (async () => {
        let seen = 0
        const query = rows === slow ? db.selectFrom('note').select(sql`sleep(0.02)`.as('slept')) : bigQuery()
        for await (const _ of query.stream({ signal })) {
          seen += 1
          if (isAtWork && seen === 3) await sleep(200)
        }
      })()
      setTimeout(() => controller.abort(new Error('left')), 100)
      await assert.rejects(reading, { message: 'left' })
      assert.equal(typeof (await within(1_000, () => sessionId(db))), 'number')
    }
  }
})

const bigQuery = () => db.selectFrom(['note', 'note as other']).select('other.text').where('other.id', '<=', 300)

test("a statement that fails as a stream fails with the server's own error, and costs nothing", async () => {
  open()
  const id = await sessionId(db)
  await assert.rejects(leaveAfter(db.selectFrom('note').select(sql`nothing_of_it`.as('x')).stream(), 1), {
    errno: 1054,
  })
  await db.transaction().execute(async (trx) => {
    await assert.rejects(leaveAfter(trx.selectFrom('note').select(sql`nothing_of_it`.as('x')).stream(), 1), {
      errno: 1054,
    })
    assert.equal(await sessionId(trx), id)
  })
  assert.deepEqual(evictions(), [])
})

test('a deadlock that a stream meets ends its transaction: nothing of it runs any more', async () => {
  open({ size: 2 })
  const locked = Promise.withResolvers<void>()
  const waiting = Promise.withResolvers<void>()
  const update = (trx: Kysely<Schema>, text: string, from: number, to: number) =>
    trx.updateTable('note').set({ text }).where('id', '>=', from).where('id', '<=', to).execute()
  const stronger = db.transaction().execute(async (trx) => {
    await update(trx, 'stronger', 101, 120)
    locked.resolve()
    await waiting.promise
    await sleep(100) // the other one's lock is waited for at the server
    await update(trx, 'stronger', 100, 100)
  })
  const weaker = db.transaction().execute(async (trx) => {
    await update(trx, 'weaker', 100, 100)
    await locked.promise
    const rows = trx.selectFrom('note').selectAll().where('id', '=', 101).forUpdate().stream()
    const reading = leaveAfter(rows, 1)
    waiting.resolve()
    await assert.rejects(reading, (error) => error instanceof StatementLostError && error.outcome === 'rolledBack')
    await update(trx, 'weaker', 130, 130)
  })
  await assert.rejects(weaker, (error) => error instanceof StatementLostError && error.outcome === 'rolledBack')
  await stronger
  const found = await db.selectFrom('note').select('id').where('text', '=', 'weaker').execute()
  assert.deepEqual(found, [])
})

test('a session killed in mid-stream ends the transaction, whether its reader stays, has left or is at work', async () => {
  open()
  for (const after of ['stays', 'has left', 'is at work'] as const) {
    const losing = db.transaction().execute(async (trx) => {
      await trx.updateTable('note').set({ text: after }).where('id', '=', 5).execute()
      let seen = 0
      for await (const _ of slow(trx)) {
        seen += 1
        if (seen !== 2) continue
        const killed = killSessions(schema, schema.app.user)
        if (after === 'has left') break
        if (after === 'is at work') await killed
      }
      await sessionId(trx)
    })
    await assert.rejects(
      losing,
      (error) => error instanceof StatementLostError && error.outcome === 'rolledBack',
      after,
    )
    const row = await db.selectFrom('note').select('text').where('id', '=', 5).executeTakeFirst()
    assert.equal(row?.text, 'x'.repeat(80))
  }
})

test('a KILL QUERY that meets a stream after its reader has left is told to the next statement at most', async () => {
  open()
  const transaction = db.transaction().execute(async (trx) => {
    const id = await sessionId(trx)
    await leaveAfter(slow(trx), 2)
    await asAdmin(schema, (admin) => admin.query(`KILL QUERY ${id}`))
    await sessionId(trx)
  })
  const [{ status }] = await Promise.allSettled([transaction]) // an error that nobody awaits would fail the run
  assert.ok(status === 'fulfilled' || evictions().length === 1)
  assert.equal(typeof (await within(1_000, () => sessionId(db))), 'number')
})

test('statements and streams that are begun together on one connection run one after the other', async () => {
  open()
  await db.connection().execute(async (held) => {
    const results = await Promise.all([
      sessionId(held),
      leaveAfter(some(held, ROWS), 3),
      held.selectFrom('note').selectAll().execute(),
      leaveAfter(many(held), 1),
      sessionId(held),
    ])
    assert.equal(results[0], results[4])
    assert.equal(results[2].length, ROWS)
  })
  assert.deepEqual(evictions(), [])
})

test('a value whose own conversion to SQL throws fails its statement and nothing else', async () => {
  open()
  const id = await sessionId(db)
  const bad = {
    toSqlString() {
      throw new Error('a bug of the caller')
    },
  }
  const failing = () => sql`select ${bad}`.execute(db)
  await assert.rejects(failing(), { message: 'a bug of the caller' })
  await db.connection().execute(async (held) => {
    const together = await Promise.allSettled([sessionId(held), sql`select ${bad}`.execute(held), sessionId(held)])
    assert.deepEqual(
      together.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
  })
  assert.equal(await sessionId(db), id)
})

test('after any mix of streams left, thrown out of, aborted and cut, connections are usable or gone', async () => {
  const seed = Number(process.env['STREAMS_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.info(`[streams] seed ${seed} (STREAMS_SEED=${seed} repeats it)`)
  const random = createRandom(seed)
  const pick = <T>(...choices: readonly T[]) => choices[random.integer(0, choices.length - 1)] as T
  open({ size: 3, acquireTimeoutMs: 1_000 })

  async function read(executor: Kysely<Schema>): Promise<void> {
    const rows = pick<() => AsyncIterable<unknown>>(
      () => some(executor, random.integer(1, ROWS)),
      () => some(executor, random.integer(1, ROWS)),
      () => many(executor),
      () => slow(executor),
    )()
    const leavesAfter = random.integer(1, 60)
    const end = pick('break', 'throw', 'pause', 'read on')
    let seen = 0
    for await (const _ of rows) {
      seen += 1
      if (seen !== leavesAfter) continue
      if (end === 'break') break
      if (end === 'throw') throw new Error('thrown by the reader')
      if (end === 'pause') await sleep(random.integer(1, 50))
    }
  }

  async function act(): Promise<void> {
    const isTransaction = pick(true, false)
    await within(random.integer(50, 600), async (scope) => {
      if (pick(true, false, false)) setTimeout(() => scope.abort(new Error('left')), random.integer(1, 100))
      if (!isTransaction) return await read(db)
      await db.transaction().execute(async (trx) => {
        for (let count = random.integer(1, 3); count > 0; count -= 1) {
          await read(trx)
          if (pick(true, false)) await sessionId(trx)
        }
      })
    }).catch(() => {}) // only that each ends, and what is left behind, is asserted
  }

  for (let round = 0; round < 6; round += 1) {
    const acting = Promise.all(Array.from({ length: 8 }, act))
    if (round % 2 === 1) await killSessions(schema, schema.app.user)
    const startedAtMs = performance.now()
    await acting
    assert.ok(performance.now() - startedAtMs < 2_500, `seed ${seed}`)
  }
  const isQuiet = () => Promise.resolve(dialect.stats.acquired === 0 && dialect.stats.idle === dialect.stats.total)
  assert.ok((await until(isQuiet, 2_000)) < 2_000, `seed ${seed}: ${JSON.stringify(dialect.stats)}`)
  const ids = await within(2_000, () => Promise.all([sessionId(db), sessionId(db), sessionId(db)]))
  assert.equal(ids.length, 3)
  assert.ok((await until(isSlowGone, 2_000)) < 2_000, `seed ${seed}`)
})
