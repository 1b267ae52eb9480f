import type { Flavour } from './classify-error.ts'
import type { Session } from './pool/connection.ts'
import type { MysqlConnection } from './pool/mysql-connection.ts'

/** Host and id are read in one statement, so that they are of one session also behind a proxy that multiplexes. */
const WHO_AM_I =
  'SELECT connection_id() AS id, version() AS version, @@wait_timeout AS waitTimeout, @@max_allowed_packet AS maxPacket, ' +
  "concat(@@hostname, ':', @@port) AS server, " +
  '(SELECT host FROM information_schema.processlist WHERE id = connection_id()) AS host, ' +
  // A reset does not run it again.
  "@@init_connect = '' AS canBeReset LIMIT 1" // against sql_select_limit = 0

/** Sets the session up with `setup` and says who it is. Without a deadline of its own. */
export async function setUpSession(raw: MysqlConnection, setup: string): Promise<Session> {
  await query(raw, setup)
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
    setup,
    canBeReset: Number(row['canBeReset']) === 1,
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
