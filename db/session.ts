import type { Flavour } from './classify-error.ts'
import type { Session } from './pool/connection.ts'
import type { MysqlConnection } from './pool/mysql-connection.ts'

/**
 * What every session runs with, whatever the server's defaults: UTC, utf8mb4, strict. The mode is set as a whole, since
 * one inherited word (ANSI_QUOTES, NO_BACKSLASH_ESCAPES) would change what quoting means. A row's lock is waited for for
 * 1 s and not 50, which no request has: who holds one for longer is stuck or lost.
 */
export const SESSION_SETTINGS =
  "SET time_zone = '+00:00', NAMES utf8mb4, innodb_lock_wait_timeout = 1, sql_mode = " +
  "'STRICT_ALL_TABLES,ONLY_FULL_GROUP_BY,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"

/** Host and id are read in one statement, so that they are of one session also behind a proxy that multiplexes. */
const WHO_AM_I =
  'SELECT connection_id() AS id, version() AS version, @@wait_timeout AS waitTimeout, @@max_allowed_packet AS maxPacket, ' +
  "concat(@@hostname, ':', @@port) AS server, " +
  '(SELECT host FROM information_schema.processlist WHERE id = connection_id()) AS host'

/** Sets the session up and says who it is. Without a deadline of its own. */
export async function setUpSession(raw: MysqlConnection): Promise<Session> {
  await query(raw, SESSION_SETTINGS)
  const [row] = (await query(raw, WHO_AM_I)) as [Record<'version' | 'server', string> & Record<string, unknown>]
  const id = Number(row['id'])
  return {
    id,
    host: typeof row['host'] === 'string' ? row['host'] : undefined,
    server: row.server,
    flavour: flavourOf(row.version),
    version: row.version,
    waitTimeoutMs: Number(row['waitTimeout']) * 1000,
    maxPacketBytes: Number(row['maxPacket'] ?? Number.POSITIVE_INFINITY),
    // The handshake carries only the id's lower 32 bits.
    isBehindProxy: id % 2 ** 32 !== raw.threadId,
  }
}

function flavourOf(version: string): Flavour {
  return /mariadb/i.test(version) ? 'mariadb' : 'mysql'
}

function query(raw: MysqlConnection, sql: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    raw.query(sql, [], (error, result) => (error ? reject(error) : resolve(result)))
  })
}
