import { checkServerIdentity, type TLSSocket } from 'node:tls'
import type { MysqlFactory } from './mysql-connection.ts'

/** What is used of mysql2's pool and connections beyond their documented faces; named in the contract test. */
export interface UnguardedPool extends MysqlFactory {
  readonly _allConnections: { readonly length: number; get(index: number): UnguardedConnection | undefined }
}
interface UnguardedConnection {
  readonly stream: TLSSocket
  on(event: 'error', listener: () => void): unknown
  /** Of this connection alone. mysql2 keeps sessions of TLS, to be resumed, by the identity of `ssl`. */
  readonly config: { ssl: object }
  /** Called when the server has agreed to TLS; `onSecure` without an error sends the credentials. */
  startTLS: (onSecure: (error?: Error) => void) => void
}

/**
 * A mysql2 pool whose connections compare the server's certificate with `host` (undefined: with nothing) before anything
 * secret is sent. mysql2's own comparison is against "localhost" where the host is an address.
 * Errors of TLS keep their own code: mysql2 calls a lost connection and a wrong certificate the same.
 */
export function guardTls(pool: UnguardedPool, host: string | undefined): MysqlFactory {
  let ssl: object | undefined

  function judge(socket: TLSSocket): Error | undefined {
    // A resumed session shows no certificate. It began with one that was found right: see below.
    if (host === undefined || socket.isSessionReused()) return undefined
    // The zone of an address (`fe80::1%eth0`) is this machine's own.
    const error = checkServerIdentity(host.replace(/%.*$/, ''), socket.getPeerCertificate())
    // mysql2 has kept the session already, or keeps it when its ticket comes: it must never be resumed.
    if (error) ssl = { ...ssl }
    return error
  }

  return {
    getConnection(callback) {
      let tlsCode: string | undefined
      pool.getConnection((error, connection) => {
        if (error instanceof Error && tlsCode !== undefined) Object.assign(error, { code: tlsCode })
        callback(error, connection)
      })
      // Its socket was opened in this turn of the event loop: nothing can have been sent or received yet.
      const connection = pool._allConnections.get(pool._allConnections.length - 1)
      if (typeof connection?.startTLS !== 'function' || Object.hasOwn(connection, 'startTLS')) {
        connection?.stream.destroy()
        throw new TypeError('this version of mysql2 starts TLS in another way: the certificate cannot be checked')
      }
      const startTls = connection.startTLS
      connection.startTLS = (onSecure) => {
        ssl ??= connection.config.ssl
        connection.config.ssl = ssl
        startTls.call(connection, (failure) => {
          const error = failure ?? judge(connection.stream)
          tlsCode = (error as NodeJS.ErrnoException | undefined)?.code
          onSecure(error)
        })
      }
    },
  }
}
