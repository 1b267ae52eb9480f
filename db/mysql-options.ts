import type { PoolOptions } from 'mysql2'
import type { ConnectionOptions, TlsTexts } from './connection-options.ts'
import { MAX_PREPARED_STATEMENTS } from './pool/prepared-statements.ts'

/** What of a login may change while the service runs. */
export interface Credentials {
  readonly password: string
  readonly texts: TlsTexts
}

/** These connection options as mysql2 wants them. */
export function toMysqlOptions(
  { tls, ...connection }: ConnectionOptions,
  { password, texts }: Credentials,
): PoolOptions {
  return {
    host: connection.host,
    port: connection.port,
    ...(connection.socketPath && { socketPath: connection.socketPath }),
    user: connection.user,
    password,
    database: connection.database,
    charset: 'utf8mb4',
    timezone: 'Z',
    maxPreparedStatements: MAX_PREPARED_STATEMENTS + 1, // the pool closes them earlier; mysql2 keeps room for 16,000
    ...(tls && {
      ssl: {
        rejectUnauthorized: tls.verifyCertificate,
        verifyIdentity: false, // compared by `guardTls`, for addresses as well
        ...(texts.ca && { ca: texts.ca }),
        ...(texts.cert && { cert: texts.cert }),
        ...(texts.key && { key: texts.key }),
      },
    }),
    // A password in clear text (PAM, the tokens of RDS and Cloud SQL) goes to a server that has proved who it is, or is
    // on this machine.
    enableCleartextPlugin: tls?.verifyCertificate ?? connection.socketPath !== undefined,
  }
}
