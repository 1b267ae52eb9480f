import type { PoolOptions } from 'mysql2'
import type { ConnectionOptions } from './connection-options.ts'
import { MAX_PREPARED_STATEMENTS } from './pool/prepared-statements.ts'

/** These connection options as mysql2 wants them. */
export function toMysqlOptions({ tls, ...connection }: ConnectionOptions, password: string): PoolOptions {
  return {
    host: connection.host,
    port: connection.port,
    user: connection.user,
    password,
    database: connection.database,
    charset: 'utf8mb4',
    timezone: 'Z',
    maxPreparedStatements: MAX_PREPARED_STATEMENTS + 1, // the pool closes them earlier; mysql2 keeps room for 16,000
    ...(tls && {
      ssl: {
        rejectUnauthorized: tls.verifyCertificate,
        verifyIdentity: tls.verifyIdentity,
        ...(tls.ca && { ca: tls.ca }),
        ...(tls.cert && { cert: tls.cert }),
        ...(tls.key && { key: tls.key }),
      },
    }),
  }
}
