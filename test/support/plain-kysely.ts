import { Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import type { DB } from '../../db/schema.ts'
import { parseDatabaseUrl } from './database-url.ts'

/** What one writes without a thought for stale connections: stock Kysely on a stock mysql2 pool. */
export function createPlainKysely(databaseUrl: string, connectionLimit: number): Kysely<DB> {
  // Times are UTC; mysql2 takes them for the process's own time zone.
  const pool = createPool({ ...parseDatabaseUrl(databaseUrl), connectionLimit, timezone: 'Z' })
  return new Kysely<DB>({ dialect: new MysqlDialect({ pool }) })
}

/** The lowest id of a city of this name, asked for as one would write it first. */
export async function findCityId(kysely: Kysely<DB>, name: string): Promise<number | undefined> {
  const row = await kysely
    .selectFrom('city')
    .select('city_id')
    .where('city', '=', name)
    .orderBy('city_id')
    .limit(1)
    .executeTakeFirst()
  return row?.city_id
}
