import assert from 'node:assert/strict'
import { type CompiledQuery, sql, type Transaction } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { StatementLostError, TransactionEndedError } from '../../db/errors.ts'
import { inTransaction } from '../../db/transaction.ts'
import { type NoteSchema, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { asAdmin, killSessions, queryAsAdmin, setGlobal } from '../support/server-faults.ts'

/** Its lock wait timeouts end transactions. */
let server: PoolServer
let site: PoolSite

beforeAll(async () => {
  server = await startPoolServer({ serverArguments: ['--innodb-rollback-on-timeout=ON'] })
  const schema = server.account.database
  const run = (text: string) => queryAsAdmin(server, text)
  await run(
    `GRANT CREATE, DROP, ALTER, INDEX, EXECUTE, CREATE TEMPORARY TABLES, LOCK TABLES ON ${schema}.* TO '${server.account.user}'@'%'`,
  )
  // A text "errno 1234" is answered with that error.
  await run(`CREATE TRIGGER ${schema}.says BEFORE INSERT ON ${server.table} FOR EACH ROW BEGIN
    DECLARE said INT DEFAULT 0;
    IF NEW.text LIKE 'errno %' THEN
      SET said = SUBSTRING(NEW.text, 7);
      SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = said, MESSAGE_TEXT = 'as asked';
    END IF;
  END`)
  await run(`CREATE PROCEDURE ${schema}.commits_and_begins() BEGIN COMMIT; START TRANSACTION; END`)
  await run(`CREATE PROCEDURE ${schema}.commits_and_fails() BEGIN
    COMMIT; START TRANSACTION; SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 1213;
  END`)
  await run(`CREATE PROCEDURE ${schema}.gives_rows() BEGIN SELECT 1 AS one; END`)
  await run(`CREATE PROCEDURE ${schema}.commits_with_rows() BEGIN SELECT 1 AS one; COMMIT; END`)
})
afterAll(() => server.dispose())
afterEach(() => site.dispose())

type Work = (trx: Transaction<NoteSchema>) => Promise<unknown>

let runs = 0

/** Inserts a note, does what the test wants and inserts `more` of it, replayed where that is right. */
async function transact(text: string, work: Work): Promise<void> {
  runs = 0
  await site.within(5_000, () =>
    inTransaction(
      site.db,
      async (trx) => {
        runs += 1
        await insert(trx, text)
        await work(trx)
        await insert(trx, `${text} more`)
      },
      { replay: true },
    ),
  )
}

const insert = (trx: Transaction<NoteSchema>, text: string) => trx.insertInto('note').values({ text }).execute()
const raw = (trx: Transaction<NoteSchema>, text: string) => sql.raw(text).execute(trx)

async function counts(text: string): Promise<readonly number[]> {
  return [await site.count(text), await site.count(`${text} more`)]
}

function isLost(outcome: StatementLostError['outcome']): (error: unknown) => boolean {
  return (error) => error instanceof StatementLostError && error.outcome === outcome
}

test('a lock wait timeout that ends the transaction ends all of it, caught or not, and it is replayed', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.insert('locked')
  await asAdmin(server, async (admin) => {
    await admin.query('BEGIN')
    await admin.query(`SELECT * FROM ${server.table} WHERE text = 'locked' FOR UPDATE`)
    await transact('timeout', async (trx) => {
      if (runs > 1) return
      await assert.rejects(
        trx.deleteFrom('note').where('text', '=', 'locked').execute(),
        (error) => isLost('rolledBack')(error) && ((error as Error).cause as { errno: number }).errno === 1205,
      )
    })
  })
  assert.equal(runs, 2)
  assert.deepEqual(await counts('timeout'), [1, 1])
})

test('a lock wait timeout that does not end the transaction leaves it to go on: of a metadata lock', async () => {
  const short = await setGlobal(server, 'lock_wait_timeout', 1)
  site = await openPoolSite(server, { pool: { size: 1 } })
  await queryAsAdmin(server, `CREATE TABLE IF NOT EXISTS ${server.account.database}.held (id INT) ENGINE=InnoDB`)
  try {
    await asAdmin(server, async (admin) => {
      await admin.query(`LOCK TABLES ${server.account.database}.held WRITE`)
      await transact('metadata', (trx) => assert.rejects(raw(trx, 'insert into held values (1)'), { errno: 1205 }))
    })
  } finally {
    await short.lift()
  }
  assert.equal(runs, 1)
  assert.deepEqual(await counts('metadata'), [1, 1])
})

const implicitCommits = [
  'create table t1 (id int)',
  'alter table t1 add column other int',
  'create index other on t1 (other)',
  'truncate table t1',
  'rename table t1 to t2',
  'drop table t2',
  'lock tables note write',
  'analyze table note',
  'set autocommit = 1',
  'begin',
  'commit',
  'rollback',
  'call commits_with_rows()',
]

test.each(implicitCommits)(
  '%s: the caller learns that the transaction had ended or cannot be replayed',
  async (text) => {
    site = await openPoolSite(server, { pool: { size: 1 } })
    const isBegun = text === 'begin' || text === 'set autocommit = 1' // open after it, this one or another
    const note = `implicit ${text}`
    if (isBegun) {
      const lost = transact(note, async (trx) => {
        await raw(trx, text)
        await killSessions(server, server.account.user)
      })
      await assert.rejects(lost, isLost('unknown'))
    } else {
      await assert.rejects(
        transact(note, (trx) => raw(trx, text)),
        TransactionEndedError,
      )
    }
    assert.equal(runs, 1)
    const stays = text === 'rollback' || text === 'set autocommit = 1' ? 0 : 1
    assert.deepEqual(await counts(note), [stays, 0])
  },
)

test('after an implicit commit no loss is replayed, and none is taken for a rollback', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const lost = transact('procedure', async (trx) => {
    await raw(trx, 'call commits_and_begins()')
    await killSessions(server, server.account.user)
  })
  await assert.rejects(lost, isLost('unknown'))
  assert.equal(runs, 1)
  assert.deepEqual(await counts('procedure'), [1, 0])
})

test('an error of the rollback class is not replayed when its statement may have committed', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await assert.rejects(
    transact('fails', (trx) => raw(trx, 'call commits_and_fails()')),
    isLost('unknown'),
  )
  assert.equal(runs, 1)
  assert.deepEqual(await counts('fails'), [1, 0])
})

test.each([
  'call gives_rows()',
  'create temporary table own (id int)',
  'savepoint mine',
  'set @mine = 1',
  'do 1',
  'show variables like "a%"',
])('%s leaves the transaction open', async (text) => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await transact(`open ${text}`, (trx) => raw(trx, text))
  assert.equal(runs, 1)
  assert.deepEqual(await counts(`open ${text}`), [1, 1])
})

test('a write that ran outside says so, however the transaction had ended', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const commit = sql`commit`.compile(site.db) as CompiledQuery
  const ended = transact('unseen', async (trx) => {
    for await (const _ of trx.getExecutor().stream(commit, 1)); // of a stream no status is seen
  })
  await assert.rejects(ended, TransactionEndedError)
  assert.equal(runs, 1)
  assert.deepEqual(await counts('unseen'), [1, 1])
})

test('nothing of a transaction that has ended runs any more, its COMMIT not either', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  const ended = transact('caught', async (trx) => {
    await assert.rejects(raw(trx, 'commit'), TransactionEndedError)
    await assert.rejects(insert(trx, 'caught inside'), TransactionEndedError)
    await assert.rejects(trx.selectFrom('note').selectAll().execute(), TransactionEndedError)
  })
  await assert.rejects(ended, TransactionEndedError)
  const commits = site.db.transaction().execute(async (trx) => {
    await assert.rejects(raw(trx, 'commit'), TransactionEndedError)
  })
  await assert.rejects(commits, TransactionEndedError)
  assert.equal(await site.count('caught inside'), 0)
})

test('KILL QUERY fails its statement alone: not run again, and the transaction goes on', async () => {
  site = await openPoolSite(server, { pool: { size: 1 } })
  await transact('killed query', async (trx) => {
    const slow = trx.deleteFrom('note').where(sql<boolean>`sleep(20.1) = 0`).execute()
    slow.catch(() => {})
    const { id } = await site.running('20.1')
    await queryAsAdmin(server, `KILL QUERY ${id}`)
    await assert.rejects(slow, { errno: 1317 })
  })
  assert.equal(runs, 1)
  assert.deepEqual(await counts('killed query'), [1, 1])
})

test('whatever number an error has, all of a transaction is there after it, or nothing', async () => {
  site = await openPoolSite(server, { pool: { size: 2 } })
  const numbers = [
    1020, 1021, 1025, 1026, 1030, 1036, 1041, 1047, 1048, 1054, 1062, 1064, 1099, 1105, 1114, 1142, 1146, 1180, 1181,
    1196, 1197, 1205, 1206, 1213, 1264, 1267, 1290, 1296, 1317, 1364, 1366, 1402, 1406, 1412, 1451, 1452, 1586, 1598,
    1613, 1614, 1615, 1637, 1644, 1689, 1690, 1705, 1792, 1836, 1879, 1927, 1969, 3024, 3058, 3098, 3100, 3101, 3168,
    3169, 3572, 3819, 4025, 4031, 4092, 4167, 8002, 9007, 1053, 1077, 1079, 1152, 1158, 1161, 1184, 1153, 1156,
  ]
  for (const errno of numbers) {
    const note = `any ${errno}`
    let ran = 0
    const ended = await inTransaction(
      site.db,
      async (trx) => {
        ran += 1
        await insert(trx, note)
        if (ran === 1) await insert(trx, `errno ${errno}`).catch(() => {})
        await insert(trx, `${note} more`)
      },
      { replay: true },
    ).catch((error: unknown) => error)
    const [first, more] = await counts(note)
    assert.equal(first, more, `${errno}: half a transaction`)
    if (ended === undefined) assert.equal(first, 1, `${errno}: acknowledged and not there`)
    else assert.equal(first, 0, `${errno}: refused and there`)
  }
})

test('a COMMIT that waits in vain for its turn has committed nothing, and the transaction is replayed', async () => {
  const short = await setGlobal(server, 'lock_wait_timeout', 1)
  site = await openPoolSite(server, { pool: { size: 1 } })
  try {
    await asAdmin(server, async (admin) => {
      runs = 0
      const work: Work = async (trx) => {
        runs += 1
        if (runs > 1) await admin.query('UNLOCK TABLES')
        await insert(trx, `flushed ${runs}`)
        if (runs === 1) await admin.query('FLUSH TABLES WITH READ LOCK')
      }
      await site.within(5_000, () => inTransaction(site.db, work, { replay: true }))
    })
  } finally {
    await short.lift()
  }
  assert.equal(runs, 2)
  assert.deepEqual([await site.count('flushed 1'), await site.count('flushed 2')], [0, 1])
})
