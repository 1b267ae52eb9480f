import type { PoolOptions } from 'mysql2'
import type { ConnectionOptions } from './connection-options.ts'

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
