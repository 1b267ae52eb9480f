import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { DeadlineExceededError } from '../../db/errors.ts'
import { asRead } from '../../db/statement-kind.ts'
import { until } from '../support/fault-site.ts'
import { durationOf, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { queryAsAdmin } from '../support/server-faults.ts'

/**
 * While a routine or trigger of somebody else's runs with that definer's rights, the user who called it does not see its own
 * session in the process list.
 */
let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer()
  const { user, database } = server.account
  const run = (text: string) => queryAsAdmin(server, text)
  await run(`GRANT EXECUTE ON ${database}.* TO '${user}'@'%'`)
  await run(`CREATE TABLE ${database}.called (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100)) ENGINE=InnoDB`)
  await run(`GRANT SELECT, INSERT ON ${database}.called TO '${user}'@'%'`)
  await run(`CREATE FUNCTION ${database}.nap(seconds DOUBLE) RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA BEGIN
    INSERT INTO called (text) VALUES (seconds);
    RETURN SLEEP(seconds);
  END`)
  await run(`CREATE PROCEDURE ${database}.naps(seconds DOUBLE) BEGIN
    INSERT INTO called (text) VALUES (seconds);
    DO SLEEP(seconds);
  END`)
  await run(`CREATE PROCEDURE ${database}.naps_as_caller(seconds DOUBLE) SQL SECURITY INVOKER DO SLEEP(seconds)`)
  await run(`CREATE FUNCTION ${database}.doubled(n INT) RETURNS INT DETERMINISTIC RETURN n * 2`)
  await run(`CREATE VIEW ${database}.nap_view AS SELECT ${database}.nap(1.41) AS slept`)
  // A text "slow" makes the row wait.
  await run(`CREATE TRIGGER ${database}.waits AFTER INSERT ON ${server.table} FOR EACH ROW BEGIN
    IF NEW.text LIKE 'slow%' THEN DO SLEEP(2); END IF;
  END`)
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

/** How often a routine ran with this argument. */
async function callsOf(seconds: number): Promise<number> {
  const [row] = await queryAsAdmin(
    server,
    `SELECT COUNT(*) AS count FROM ${server.account.database}.called WHERE text = '${seconds}'`,
  )
  return Number(row?.['count'])
}

const raw = (text: string) => site.within(5_000, () => sql.raw(text).execute(site.db))

function assertUntouched(): void {
  assert.deepEqual(site.evictions, [])
  assert.equal(site.countOf('unknownOutcome'), 0)
  assert.equal(site.countOf('retried'), 0)
}

test.each([
  ['a function', 'SELECT nap(1.21)', 1.21],
  ['a procedure', 'CALL naps(1.23)', 1.23],
  ['a view with a function', 'SELECT * FROM nap_view', 1.41],
])(
  '%s that runs with the rights of its definer for longer than a second runs once, and is answered',
  async (_, text, seconds) => {
    site = await openPoolSite(server, { pool: { size: 2 } })
    await site.openOnly()
    await raw(text)
    assert.equal(await callsOf(seconds), 1)
    assertUntouched()
  },
)

test('a read that calls such a function, after a pause, is not asked for twice', async () => {
  site = await openPoolSite(server, { pool: { size: 2, validateAfterIdleMs: 50 } })
  await site.openOnly()
  await sleep(100) // nobody has heard of the connection: what it does is watched
  await site.within(5_000, () => site.db.selectNoFrom(asRead(sql`nap(1.31)`).as('slept')).execute())
  assert.equal(await callsOf(1.31), 1)
  assertUntouched()
})

test.each(['alone', 'in a transaction'])(
  'a write whose trigger takes 2 s is answered, and done once (%s)',
  async (place) => {
    site = await openPoolSite(server, { pool: { size: 2 } })
    await site.openOnly()
    const text = `slow ${place}`
    await site.within(5_000, async () => {
      if (place === 'alone') await site.insert(text)
      else await site.db.transaction().execute((trx) => trx.insertInto('note').values({ text }).execute())
    })
    assert.equal(await site.count(text), 1)
    assertUntouched()
  },
)

test('a procedure that runs with the rights of its caller is ended at the server when that one leaves', async () => {
  const id = await callAndLeave('CALL naps_as_caller(20.51)')
  assert.deepEqual(site.evictions, ['stopped'])
  assert.ok((await until(async () => !(await isAtServer(id)), 500)) < 500, 'the session is gone')
})

/** The server lets its caller neither see nor end it. */
test('a procedure with the rights of its definer that its caller leaves runs on, says the pool, and holds up nobody', async () => {
  const id = await callAndLeave('CALL naps(2.61)')
  assert.deepEqual(site.evictions, ['notStopped'])
  assert.equal(await isAtServer(id), true)
  assert.ok((await until(async () => !(await isAtServer(id)), 3_000)) < 3_000, 'its end is the end of the session')
})

test('a statement that calls a function for each row is mostly ended, between two calls', async () => {
  const numbers = 'WITH RECURSIVE numbers AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM numbers WHERE n < 900)'
  const runaway = `${numbers} SELECT SUM(doubled(a.n + b.n * c.n)) FROM numbers a, numbers b, numbers c`
  let stopped = 0
  for (let round = 1; round <= 6; round += 1) {
    const id = await callAndLeave(runaway)
    const isEnded = (await until(async () => !(await isAtServer(id)), 300)) < 300
    assert.deepEqual(site.evictions, [isEnded ? 'stopped' : 'notStopped'])
    if (isEnded) stopped += 1
    else await queryAsAdmin(server, `KILL ${id}`) // the next rounds need its processor
    if (round < 6) await site.dispose()
  }
  assert.ok(stopped >= 3, `${stopped} of 6`)
})

/** Leaves a statement after 300 ms, and resolves when the next caller was served, to the id of the session it ran in. */
async function callAndLeave(text: string): Promise<number> {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
  const id = await site.read()
  const calling = site.within(300, () => sql.raw(text).execute(site.db))
  await assert.rejects(calling, DeadlineExceededError)
  assert.ok((await durationOf(site.read())) < 500)
  return id
}

async function isAtServer(id: number): Promise<boolean> {
  const rows = await queryAsAdmin(server, `SELECT id FROM information_schema.processlist WHERE id = ${id}`)
  return rows.length > 0
}

test('a session that the server ended is known to be gone, though nothing told its client', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  const flow = await site.openOnly()
  const reading = site.within(5_000, () => site.read(0.3))
  const { id } = await site.running('sleep(0.3)')
  flow.forget()
  await queryAsAdmin(server, `KILL ${id}`)
  const tookMs = await durationOf(reading)
  assert.notEqual(await reading, id)
  assert.ok(tookMs < 1_500, `${tookMs} ms`)
  assert.deepEqual(site.evictions, ['forgotten'])
})
