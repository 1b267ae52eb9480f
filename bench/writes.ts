// `npm run bench:writes`: writes a second with their idempotency key against the plain insert, interleaved in one run.
// TEST_DATABASE chooses the server, as for the tests.
import { resolve } from 'node:path'
import { createDatabase, insertCity, inTransaction, writeOnce } from '../db/index.ts'
import { migrateToLatest } from '../db/migrator.ts'
import { chooseServerKind } from '../test/support/choose-server-kind.ts'
import { queryAsAdmin } from '../test/support/server-faults.ts'
import { readVersion, startSharedServer } from '../test/support/shared-server.ts'
import { createSchemaOn } from '../test/support/test-database.ts'
import { parseTestSettings } from '../test/support/test-database-setting.ts'
import { createKeyedWrite } from './keyed-write.ts'
import { summarise } from './statistics.ts'

const PAIRS = 24
/** Of one slice. All of them stay below 60,000: ids end at 65,535. */
const WRITES = 800
const CLIENTS = 16
const REQUEST_TIMEOUT_MS = 5000

const say = (line: string) => process.stderr.write(`${line}\n`)
const settings = parseTestSettings(process.env)
const server = await startSharedServer(settings.database, await chooseServerKind(settings, say), say)
try {
  const { app, migrator, admin, drop } = await createSchemaOn(server.admin)
  await migrateToLatest(migrator, resolve(import.meta.dirname, '../migrations'))
  const database = createDatabase({ connection: app, pool: { size: CLIENTS } })
  const { kysely } = database
  const city = { city: 'Benchmark', countryId: 44 }

  const plain = () => inTransaction(kysely, (trx) => insertCity(trx, city), { replay: true })
  const keyed = () => writeOnce(kysely, createKeyedWrite(city), (trx) => insertCity(trx, city))

  /** Writes a second of one slice; every client writes again as soon as it is answered. */
  async function measure(write: () => Promise<unknown>): Promise<number> {
    let left = WRITES
    const startedAtMs = performance.now()
    await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        for (; left > 0; left -= 1) {
          const scope = database.createScope(REQUEST_TIMEOUT_MS)
          await database.runInScope(scope, write).finally(() => scope.end())
        }
      }),
    )
    return (1000 * WRITES) / (performance.now() - startedAtMs)
  }

  for (const write of [plain, keyed]) await measure(write) // warm up
  const pairs: { readonly plain: number; readonly keyed: number }[] = []
  for (let pair = 1; pair <= PAIRS; pair += 1) {
    // Each goes first as often as the other.
    const first = await measure(pair % 2 ? plain : keyed)
    const second = await measure(pair % 2 ? keyed : plain)
    const rates = pair % 2 ? { plain: first, keyed: second } : { plain: second, keyed: first }
    pairs.push(rates)
    say(`pair ${pair}/${PAIRS}: plain ${rates.plain.toFixed(0)}/s, with its key ${rates.keyed.toFixed(0)}/s`)
  }
  const show = (values: readonly number[], digits: number) => {
    const { median, interval } = summarise(values)
    return `${median.toFixed(digits)} (95 %: ${interval?.low.toFixed(digits)} to ${interval?.high.toFixed(digits)})`
  }
  const [row] = await queryAsAdmin({ admin }, 'SELECT @@GLOBAL.innodb_flush_log_at_trx_commit AS flush')
  const { version } = await readVersion(server.admin)
  process.stdout.write(
    `${version}, innodb_flush_log_at_trx_commit=${row?.['flush']}, ${CLIENTS} clients, ${PAIRS} pairs of ${WRITES} writes\n` +
      `plain insert: ${show(
        pairs.map((pair) => pair.plain),
        0,
      )} writes/s\n` +
      `with its key: ${show(
        pairs.map((pair) => pair.keyed),
        0,
      )} writes/s\n` +
      `ratio: ${show(
        pairs.map((pair) => pair.keyed / pair.plain),
        3,
      )}\n`,
  )
  await database.close({ deadlineMs: 1000 })
  await drop()
} finally {
  await server.stop()
}
