import { createConnection } from 'mysql2/promise'
import type { ConnectionOptions } from '../db/connection-options.ts'

/** Ids of `city` end at 65,535; a slice that comes near is an error, not a row of failed requests. */
const LAST_GOOD_ID = 60_000
const SEED_ROWS = 600

export async function withConnection<T>(
  { host, port, user, password, database }: ConnectionOptions,
  task: (run: (sql: string) => Promise<readonly Record<string, unknown>[]>) => Promise<T>,
): Promise<T> {
  const connection = await createConnection({ host, port, user, password: await password(), database })
  try {
    return await task(async (sql) => (await connection.query(sql))[0] as Record<string, unknown>[])
  } finally {
    await connection.end()
  }
}

/** Takes away what POSTs have added: cities, their ids, and their keys. */
export async function resetCities(admin: ConnectionOptions): Promise<void> {
  await withConnection(admin, async (run) => {
    await run(`delete from city where city_id > ${SEED_ROWS}`)
    await run(`alter table city auto_increment = ${SEED_ROWS + 1}`)
    await run('delete from idempotency_key')
  })
}

/** @throws Error unless every acknowledged POST since the reset is there exactly once, with its key, and with ids to spare */
export async function assertCreated(
  admin: ConnectionOptions,
  { requests, connections }: { readonly requests: number; readonly connections: number },
): Promise<void> {
  const [row] = await withConnection(admin, (run) =>
    run(`
      select count(*) as cities, max(city_id) as lastId, (select count(*) from idempotency_key) as answers
      from city where city_id > ${SEED_ROWS}
    `),
  )
  const [cities, lastId, answers] = [Number(row?.['cities']), Number(row?.['lastId']), Number(row?.['answers'])]
  // The generator leaves with up to one request a connection unanswered.
  const isRight = (added: number) => added >= requests && added <= requests + connections
  if (!isRight(cities) || !isRight(answers))
    throw new Error(`${requests} POSTs answered, ${cities} cities and ${answers} keys added`)
  if (lastId >= LAST_GOOD_ID) throw new Error(`city_id came to ${lastId}: shorten the slices (--seconds)`)
}
