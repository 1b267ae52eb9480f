import { Kysely, MysqlDialect } from 'kysely'
import { createPool } from 'mysql2'
import type { DB } from '../../db/schema.ts'

/** What one writes without a thought for stale connections: stock Kysely on a stock mysql2 pool. */
export function createPlainKysely(databaseUrl: string, connectionLimit: number): Kysely<DB> {
  const { hostname, port, username, password, pathname } = new URL(databaseUrl)
  const pool = createPool({
    host: hostname,
    port: Number(port),
    user: username,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    connectionLimit,
  })
  return new Kysely<DB>({ dialect: new MysqlDialect({ pool }) })
}
