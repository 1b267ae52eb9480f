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

/** Takes away what POSTs have added, and their ids. */
export async function resetCities(admin: ConnectionOptions): Promise<void> {
  await withConnection(admin, async (run) => {
    await run(`delete from city where city_id > ${SEED_ROWS}`)
    await run(`alter table city auto_increment = ${SEED_ROWS + 1}`)
  })
}

/** @throws Error unless every acknowledged POST since the reset is there exactly once, with ids to spare */
export async function assertCreated(
  admin: ConnectionOptions,
  { requests, connections }: { readonly requests: number; readonly connections: number },
): Promise<void> {
  const [row] = await withConnection(admin, (run) =>
    run(`select count(*) as added, max(city_id) as lastId from city where city_id > ${SEED_ROWS}`),
  )
  const [added, lastId] = [Number(row?.['added']), Number(row?.['lastId'])]
  // The generator leaves with up to one request a connection unanswered.
  if (added < requests || added > requests + connections)
    throw new Error(`${requests} POSTs answered, ${added} rows added`)
  if (lastId >= LAST_GOOD_ID) throw new Error(`city_id came to ${lastId}: shorten the slices (--seconds)`)
}
