import { setTimeout as sleep } from 'node:timers/promises'
import { type Insertable, Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import { afterAll, beforeAll, test } from 'vitest'
import { lasting } from '../support/faults-run.ts'
import { atLeast, atMost, given, reportFigures } from '../support/figures.ts'
import { type NoteSchema, openPoolSite, type PoolServer, type PoolSite, startPoolServer } from '../support/pool-site.ts'
import { createRandom, type SeededRandom } from '../support/random.ts'
import { longestGapMs, percentileMs } from '../support/request-figures.ts'
import { asAdmin, killSessions, queryAsAdmin } from '../support/server-faults.ts'

const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 2 ** 31)
const WRITERS = 32
const SIZE = 16
/** So many turns of each side, one after the other, under the same faults. */
const TURNS = lasting(15, 4)
const TURN_MS = lasting(2_000, 1_000)

let server: PoolServer

/** A table that does not refuse doubles. */
interface TallySchema extends NoteSchema {
  readonly tally: { readonly text: string }
}

beforeAll(async () => {
  console.info(`[lost again] STORM_SEED=${seed}`)
  server = await startPoolServer()
  const schema = server.account.database
  await queryAsAdmin(server, `CREATE TABLE ${schema}.tally (text VARCHAR(50) NOT NULL, KEY (text)) ENGINE=InnoDB`)
})
afterAll(() => server.dispose())

/** A write: `isOk` when it was acknowledged. */
interface Write {
  readonly text: string
  readonly startMs: number
  readonly endMs: number
  readonly isOk: boolean
}

type InsertTally = (row: Insertable<TallySchema['tally']>) => Promise<unknown>

/** KILL of everything twice a second, and each new connection cut after a random number of bytes. */
async function stormFor(durationMs: number, { proxy }: PoolSite, random: SeededRandom): Promise<void> {
  proxy.onFlow = (flow) => {
    const direction = random.next() < 0.5 ? 'toClient' : 'toServer'
    flow.cutAfter({ direction, bytes: random.integer(1, 20_000), end: random.next() < 0.5 ? 'fin' : 'rst' })
  }
  const endMs = performance.now() + durationMs
  while (performance.now() < endMs) {
    await sleep(500)
    await killSessions(server, server.account.user)
  }
  proxy.onFlow = () => {}
  proxy.cutAll('rst')
}

/** One turn of one side. */
async function writeUnderStorm(name: string, site: PoolSite, insert: InsertTally, random: SeededRandom) {
  const writes: Write[] = []
  const fromMs = performance.now()
  let isOver = false
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let count = 0; !isOver; count += 1) {
      const text = `${name} ${writer} ${count}`
      const startMs = performance.now()
      const isOk = await insert({ text }).then(
        () => true,
        () => false,
      )
      writes.push({ text, startMs, endMs: performance.now(), isOk })
      await sleep(5)
    }
  })
  await stormFor(TURN_MS, site, random)
  isOver = true
  const gapMs = longestGapMs(writes, fromMs, performance.now())
  await Promise.all(writers)
  return { writes, gapMs }
}

test('what is lost again and again keeps on writing, as often as what tells no truth', async () => {
  const [ours, stock] = [await openPoolSite(server, { pool: { size: SIZE } }), await openPoolSite(server)]
  const { host, port, user, database } = { ...server.account, ...stock.proxy.address }
  const password = await server.account.password()
  const pool = createPool({ host, port, user, database, password, connectionLimit: SIZE })
  const plain = new Kysely<TallySchema>({ dialect: new MysqlDialect({ pool }) })
  const db = new Kysely<TallySchema>({ dialect: ours.dialect })
  try {
    const turns = { ours: [] as Write[], stock: [] as Write[] }
    let gapMs = 0
    for (let turn = 0; turn < TURNS; turn += 1) {
      const insertOurs: InsertTally = (row) => ours.within(5_000, () => db.insertInto('tally').values(row).execute())
      const own = await writeUnderStorm(`ours ${turn}`, ours, insertOurs, createRandom(seed + turn))
      gapMs = Math.max(gapMs, own.gapMs)
      turns.ours.push(...own.writes)
      const insertPlainly: InsertTally = (row) => plain.insertInto('tally').values(row).execute()
      const other = await writeUnderStorm(`stock ${turn}`, stock, insertPlainly, createRandom(seed + turn))
      turns.stock.push(...other.writes)
    }
    const acknowledged = turns.ours.filter(({ isOk }) => isOk)
    const byStock = turns.stock.filter(({ isOk }) => isOk).length
    const found = await countTexts()
    await reportFigures(
      'lost again and again: KILL of everything twice a second, cuts after 1 to 20,000 bytes',
      server,
      [
        given('writes acknowledged', acknowledged.length),
        given('acknowledged by stock mysql2 and Kysely', byStock),
        // Counted, yet it depends on the machine's time: in per cent, so that the short form does not judge it.
        atLeast('share of those that stock acknowledged', (100 * acknowledged.length) / byStock, 85, '%'),
        given('told that their outcome is unknown, or that they failed', turns.ours.length - acknowledged.length),
        atMost('longest time without a write', gapMs, 500, 'ms'),
        atMost('99 % within', percentileMs(turns.ours, 0.99), 1_500, 'ms'),
        atMost('acknowledged and lost', acknowledged.filter(({ text }) => !found.has(text)).length, 0),
        atMost('done twice', turns.ours.filter(({ text }) => (found.get(text) ?? 0) > 1).length, 0),
      ],
    )
  } finally {
    await plain.destroy().catch(() => {})
    await ours.dispose()
    await stock.dispose()
  }
}, 120_000)

/** How often each text is in the table. */
async function countTexts(): Promise<ReadonlyMap<string, number>> {
  return await asAdmin(server, async (admin) => {
    const [rows] = await admin.query(
      `SELECT text, COUNT(*) AS times FROM ${server.account.database}.tally GROUP BY text`,
    )
    return new Map((rows as { text: string; times: number }[]).map(({ text, times }) => [text, Number(times)]))
  })
}
