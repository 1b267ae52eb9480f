import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kysely, sql } from 'kysely'
import { createConnection } from 'mysql2/promise'
import { afterAll, beforeAll, test } from 'vitest'
import { type ResilientMysqlOptions, resilientMysqlDialect } from '../../db/dialect.ts'
import { isDatabaseError } from '../../db/errors.ts'
import { asRead } from '../../db/statement-kind.ts'
import { createTestSchema, type TestSchema } from '../support/test-database.ts'

interface Schema {
  sample: { id: number }
}

let schema: TestSchema

beforeAll(async () => {
  schema = await createTestSchema()
  const admin = new Kysely<Schema>({ dialect: resilientMysqlDialect({ connection: schema.migrator }) })
  await sql`CREATE TABLE sample (id INT PRIMARY KEY)`.execute(admin)
  await admin
    .insertInto('sample')
    .values([{ id: 1 }, { id: 2 }, { id: 3 }])
    .execute()
  await admin.destroy()
})
afterAll(() => schema.drop())

function open(options: Partial<ResilientMysqlOptions> = {}) {
  const dialect = resilientMysqlDialect({ connection: schema.app, ...options })
  return { dialect, db: new Kysely<Schema>({ dialect }) }
}

/** Runs `task` with what sees and ends the pool's sessions at the server. */
async function withAdmin<T>(task: (admin: Admin) => Promise<T>): Promise<T> {
  const { host, port, user, password } = schema.admin
  const connection = await createConnection({ host, port, user, password: await password() })
  try {
    return await task({
      sessions: async () => {
        const text = 'SELECT id FROM information_schema.processlist WHERE user = ?'
        const [rows] = await connection.query(text, [schema.app.user])
        return (rows as { id?: number; ID?: number }[]).map(({ id, ID }) => id ?? (ID as number))
      },
      kill: async (id) => {
        await connection.query(`KILL ${id}`).catch(() => {}) // it has gone by itself
      },
    })
  } finally {
    await connection.end()
  }
}

interface Admin {
  readonly sessions: () => Promise<readonly number[]>
  readonly kill: (id: number) => Promise<void>
}

test('a signal that outlives 5,000 statements has none of their listeners, whatever became of them', async () => {
  const { db } = open({ pool: { size: 4 } })
  const controller = new AbortController()
  const { signal } = controller
  const one = db.selectFrom('sample').select('id').where('id', '=', 1)
  for (let count = 0; count < 50; count += 1) {
    await Promise.all(Array.from({ length: 97 }, () => one.execute({ signal })))
    await assert.rejects(db.insertInto('sample').values({ id: 1 }).execute({ signal }), { errno: 1062 })
    for await (const _ of db.selectFrom('sample').selectAll().stream({ chunkSize: 1, signal })) if (count % 2) break
    await db.transaction().execute((trx) => trx.selectFrom('sample').selectAll().execute({ signal }))
  }
  assert.equal(getEventListeners(signal, 'abort').length, 0)
  const slow = Array.from({ length: 10 }, () => db.selectNoFrom(sql`sleep(5)`.as('slept')).execute({ signal }))
  await sleep(50)
  controller.abort(new Error('left'))
  for (const statement of slow) await assert.rejects(statement, { message: 'left' })
  await db.destroy()
  assert.equal(getEventListeners(signal, 'abort').length, 0)
})

test('callbacks that throw, reject or answer nonsense leave the pool and its sessions as they are, and are told', async () => {
  const warnings: Error[] = []
  const onWarning = (warning: Error) => warnings.push(warning)
  process.on('warning', onWarning)
  const fail = () => {
    throw new Error('a bug of the caller')
  }
  let draws = 0
  const kinds: Partial<ResilientMysqlOptions>[] = [
    { onEvent: fail, observer: { waited: fail, held: fail, ran: fail }, random: fail },
    {
      onEvent: async () => fail(),
      random: () =>
        [Number.NaN, 1, -1, Number.POSITIVE_INFINITY, undefined as unknown as number][draws++ % 5] as number,
    },
  ]
  try {
    for (const callbacks of kinds) {
      const { db, dialect } = open({ ...callbacks, pool: { size: 4 } })
      await withAdmin(async ({ sessions, kill }) => {
        for (let round = 0; round < 4; round += 1) {
          const asked = Array.from({ length: 40 }, () => db.selectFrom('sample').selectAll().execute())
          for (const rows of await Promise.all(asked)) assert.equal(rows.length, 3)
          for (const id of await sessions()) await kill(id)
        }
        assert.equal((await db.selectFrom('sample').selectAll().execute()).length, 3)
        const { total, acquired, waiting } = dialect.stats
        assert.ok(total >= 1 && total <= 4, `${total}`)
        assert.deepEqual({ acquired, waiting }, { acquired: 0, waiting: 0 })
        assert.ok((await sessions()).length <= 5) // the control connection's, too
        await db.destroy()
        await sleep(300)
        assert.deepEqual(await sessions(), [])
      })
      assert.ok(dialect.counters.opened >= 4, 'it counts on')
    }
    const told = warnings.filter(({ name }) => name === 'CallbackWarning').map(({ message }) => message.split(',')[0])
    for (const name of ['observer.held', 'observer.ran', 'observer.waited']) {
      assert.equal(told.filter((each) => each === name).length, 1, name)
    }
    for (const name of ['onEvent', 'random']) assert.equal(told.filter((each) => each === name).length, 2, name)
  } finally {
    process.off('warning', onWarning)
  }
})

test('a password function that throws or answers nonsense fails attempts, not the process', async () => {
  const fail = () => {
    throw new Error('a bug of the caller')
  }
  const answers: unknown[] = [42, null, {}, Buffer.from('x'), Symbol('x')]
  for (const password of [fail, ...answers.map((answer) => async () => answer as string)]) {
    const { db } = open({ connection: { ...schema.app, password }, pool: { acquireTimeoutMs: 1_000 } })
    await assert.rejects(db.selectFrom('sample').selectAll().execute(), (error) => isDatabaseError(error))
    await db.destroy()
  }
}, 15_000)

test('an event is told when the pool can be used again: a callback may ask, check and close it', async () => {
  const asked: Promise<boolean>[] = []
  const ask = (task: Promise<unknown>) =>
    asked.push(
      task.then(
        () => true,
        () => false,
      ),
    )
  const { db, dialect } = open({
    pool: { size: 2 },
    onEvent: ({ name }) => {
      if (name !== 'evicted' || asked.length >= 6) return
      ask(db.selectFrom('sample').selectAll().execute())
      ask(dialect.check())
      if (asked.length === 6) ask(db.destroy())
    },
  })
  await withAdmin(async ({ sessions, kill }) => {
    for (let round = 0; round < 3; round += 1) {
      await db.selectFrom('sample').selectAll().execute()
      for (const id of await sessions()) await kill(id)
      await sleep(50)
    }
    assert.equal(asked.length, 7)
    assert.deepEqual((await Promise.all(asked)).slice(0, 4), [true, true, true, true])
    await sleep(300)
    assert.deepEqual(await sessions(), [])
    assert.equal(dialect.stats.total, 0)
  })
})

test('a connection that is given back while its read runs is not acquired again for that read', async () => {
  const { db, dialect } = open({ pool: { size: 2 } })
  const reads: Promise<unknown>[] = []
  for (let time = 0; time < 3; time += 1) {
    await db.connection().execute(async (held) => {
      reads.push(held.selectNoFrom(asRead(sql`sleep(20.75)`).as('slept')).execute())
      reads.at(-1)?.catch(() => {})
    })
  }
  for (const read of reads) await assert.rejects(read, { name: 'StatementLostError' })
  assert.equal(dialect.stats.acquired, 0)
  await db.destroy()
})
