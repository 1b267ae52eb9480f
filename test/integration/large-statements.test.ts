import assert from 'node:assert/strict'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, test } from 'vitest'
import { StatementTooLargeError } from '../../db/errors.ts'
import { inTransaction } from '../../db/transaction.ts'
import { openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { type LastingFault, openPlainConnection, setGlobal } from '../support/server-faults.ts'

const MIB = 2 ** 20

let server: PoolServer
let site: PoolSite
let limit: LastingFault

beforeAll(async () => {
  server = await startPoolServer()
})
afterAll(() => server.dispose())
afterEach(async () => {
  await limit.lift()
  await site.dispose()
})

async function open(limitBytes: number): Promise<void> {
  limit = await setGlobal(server, 'max_allowed_packet', limitBytes)
  site = await openPoolSite(server, { pool: { size: 1 } })
  await site.openOnly()
}

/** Bytes of `length('xxx...')`, in all that is sent. */
const read = (characters: number) =>
  site.db
    .selectNoFrom((eb) => eb.fn<number>('length', [eb.val('x'.repeat(characters))]).as('n'))
    .executeTakeFirstOrThrow()

test.each([
  [MIB, [1.1, 4, 16, 20, 64]],
  [4 * MIB, [4.1, 20]],
])('with a limit of %i bytes: one answer that names it, and nothing else happens', async (limitBytes, sizes) => {
  await open(limitBytes)
  const [session] = await site.sessions()
  for (const mib of sizes) {
    const characters = Math.ceil(mib * MIB)
    await assert.rejects(
      read(characters),
      (error) =>
        error instanceof StatementTooLargeError &&
        error.limitBytes === limitBytes &&
        error.sizeBytes > characters &&
        error.sizeBytes < characters + 100,
    )
  }
  assert.equal(site.countOf('retried'), 0)
  assert.deepEqual(site.evictions, [])
  assert.equal(site.countOf('outageStarted'), 0)
  assert.equal((await site.sessions())[0]?.id, session?.id)
})

test('the limit is the byte that the server itself draws it at', async () => {
  await open(MIB)
  const isTaken = async (characters: number) =>
    await read(characters).then(
      () => true,
      (error) => {
        assert.ok(error instanceof StatementTooLargeError)
        return false
      },
    )
  let most = MIB - 200
  while (await isTaken(most + 1)) most += 1
  assert.ok(most > MIB - 100, `${most}`)
  const plain = await openPlainConnection(server.account)
  const text = (characters: number) => `select length('${'x'.repeat(characters)}') as \`n\``
  await plain.query(text(most))
  await assert.rejects(plain.query(text(most + 1)))
  plain.destroy()
})

test('in a transaction only the statement fails: what is there stays, and may be committed', async () => {
  await open(MIB)
  let runs = 0
  await inTransaction(
    site.db,
    async (trx) => {
      runs += 1
      await trx.insertInto('note').values({ text: 'before' }).execute()
      const large = trx.updateTable('note').set({ text: sql.lit('x'.repeat(2 * MIB)) })
      await assert.rejects(large.execute(), StatementTooLargeError)
      await trx.insertInto('note').values({ text: 'after' }).execute()
    },
    { replay: true },
  )
  assert.equal(runs, 1)
  assert.deepEqual([await site.count('before'), await site.count('after')], [1, 1])
})
