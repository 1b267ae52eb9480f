import assert from 'node:assert/strict'
import { sql } from 'kysely'
import type { ResultSetHeader, RowDataPacket } from 'mysql2/promise'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { BUILT_IN_FUNCTIONS } from '../../db/built-in-functions.ts'
import { DeadlineExceededError, StatementLostError } from '../../db/errors.ts'
import { asRead } from '../../db/statement-kind.ts'
import { until } from '../support/fault-site.ts'
import { openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { asAdmin, killSessions, queryAsAdmin } from '../support/server-faults.ts'

let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
  const { database, user } = server.account
  await queryAsAdmin(server, `GRANT EXECUTE ON ${database}.* TO '${user}'@'%'`)
  // Inserts at once, and then takes its time.
  await queryAsAdmin(
    server,
    `CREATE FUNCTION ${database}.act(what VARCHAR(50)) RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA SQL SECURITY INVOKER BEGIN
      INSERT INTO ${database}.calls (what) VALUES (what);
      RETURN SLEEP(20.25);
    END`,
  )
  await queryAsAdmin(
    server,
    `CREATE TABLE ${database}.calls (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(50)) ENGINE=InnoDB`,
  )
  // What it inserts is committed before it fails.
  await queryAsAdmin(
    server,
    `CREATE PROCEDURE ${database}.act_and_fail(what VARCHAR(50), number INT) MODIFIES SQL DATA SQL SECURITY INVOKER BEGIN
      INSERT INTO ${database}.calls (what) VALUES (what);
      SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = number;
    END`,
  )
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

/** Numbers the calls so far and this one: an id that is given out stays so, whatever becomes of its row. */
async function nextNumber(): Promise<number> {
  return await asAdmin(server, async (admin) => {
    const [{ insertId }] = await admin.query<ResultSetHeader>(
      `INSERT INTO ${server.account.database}.calls () VALUES ()`,
    )
    return insertId
  })
}

async function untilCalling(what: string): Promise<void> {
  await asAdmin(server, async (admin) => {
    await admin.query('SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED')
    const isCalling = async () => {
      const sought = `SELECT id FROM ${server.account.database}.calls WHERE what = '${what}'`
      return (await admin.query<RowDataPacket[]>(sought))[0].length === 1
    }
    assert.ok((await until(isCalling, 2_000)) < 2_000, `${what} is called`)
  })
}

test.each(['KILL', 'KILL QUERY'])(
  'a stored function that is lost or stopped while it runs is not called again: %s',
  async (kill) => {
    site = await openPoolSite(server, { pool: { size: 2 } })
    const what = `once ${kill}`
    const before = await nextNumber()
    const called = site.db.selectNoFrom((eb) => eb.fn('act', [eb.val(what)]).as('a')).execute()
    called.catch(() => {})
    await untilCalling(what)
    await queryAsAdmin(server, `${kill} ${(await site.running(what)).id}`)
    if (kill === 'KILL') {
      await assert.rejects(called, (error) => error instanceof StatementLostError && error.outcome === 'unknown')
    } else await assert.rejects(called, { errno: 1317 })
    assert.equal(site.countOf('retried'), 0)
    assert.equal((await nextNumber()) - before - 1, 1)
  },
)

test('one that is vouched for is', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  const query = site.db.selectNoFrom((eb) => eb.fn('act', [eb.val('twice')]).as('a')).compile()
  const before = await nextNumber()
  const called = site.within(2_000, () => site.db.executeQuery(asRead(query)))
  called.catch(() => {})
  await untilCalling('twice')
  await killSessions(server, server.account.user)
  await assert.rejects(called, DeadlineExceededError)
  assert.equal((await nextNumber()) - before - 1, 2)
})

test('KILL QUERY is the last word about a read, too: it runs once', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  const read = site.read(20.75)
  read.catch(() => {})
  const { id } = await site.running('20.75')
  await queryAsAdmin(server, `KILL QUERY ${id}`)
  // sleep() is not ended by an error on every server.
  await read.catch((error: { errno?: number }) => assert.equal(error.errno, 1317))
  assert.equal(site.countOf('retried'), 0)
  const runaway = site.db
    .selectFrom('note as a')
    .select((eb) =>
      eb.fn('benchmark', [eb.lit(2_000_000_000), eb.fn('sha2', [eb.val('runaway'), eb.lit(256)])]).as('b'),
    )
    .compile()
  await site.insert('one row')
  const killed = site.db.executeQuery(asRead(runaway))
  killed.catch(() => {})
  await queryAsAdmin(server, `KILL QUERY ${(await site.running('runaway')).id}`)
  await assert.rejects(killed, { errno: 1317 })
  assert.equal(site.countOf('retried'), 0)
  assert.deepEqual(site.evictions, [])
})

test('what a SELECT leaves in its session does not reach the next caller', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const leave = [
    () => site.db.selectNoFrom(sql`@mine := 42`.as('a')).execute(),
    () => site.db.selectNoFrom((eb) => eb.fn('get_lock', [eb.val('mine'), eb.val(0)]).as('a')).execute(),
    () => site.db.selectNoFrom(sql`get_lock('mine', 0)`.as('a')).execute(),
    () => sql`select get_lock('mine', 0)`.execute(site.db),
    () => site.db.selectFrom('note').select('id').where(sql<boolean>`(@mine := 42) = 42`).execute(),
    () => site.db.updateTable('note').set({ text: sql`if(get_lock('mine', 0), text, text)` }).execute(),
    () => site.db.insertInto('note').values({ text: sql`concat('mine', @mine := 42)` }).execute(),
  ]
  await site.insert('some row')
  for (const task of leave) {
    await task()
    const look = site.db.selectNoFrom([
      asRead(sql<number | null>`@mine`).as('mine'),
      asRead(sql<number | null>`is_used_lock('mine')`).as('holder'),
    ])
    assert.deepEqual(await look.executeTakeFirst(), { mine: null, holder: null }, String(task))
  }
})

test('every function that is taken for built in is built in on this server', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const unknown: string[] = []
  await asAdmin(server, async (admin) => {
    await admin.query(`USE ${server.account.database}`)
    const isKnown = async (name: string): Promise<boolean> => {
      const errno = await admin.query(`SELECT ${name}(1, 1, 1, 1, 1, 1, 1)`).then(
        () => 0,
        (error: { errno: number }) => error.errno,
      )
      return errno !== 1305 // ER_SP_DOES_NOT_EXIST: then it would look for a stored one
    }
    assert.equal(await isKnown('act2'), false)
    for (const name of BUILT_IN_FUNCTIONS) if (!(await isKnown(name))) unknown.push(name)
  })
  assert.deepEqual(unknown, [])
})

test.each([1213, 1836, 1047])(
  'a procedure that has committed before it was refused is not called again: %i',
  async (errno) => {
    site = await openPoolSite(server, { pool: { size: 2 } })
    const what = `refused ${errno}`
    await assert.rejects(
      sql`call act_and_fail(${what}, ${errno})`.execute(site.db),
      (error) => error instanceof StatementLostError && error.outcome === 'unknown',
    )
    const calls = await queryAsAdmin(server, `SELECT id FROM ${server.account.database}.calls WHERE what = '${what}'`)
    assert.equal(calls.length, 1)
  },
)
