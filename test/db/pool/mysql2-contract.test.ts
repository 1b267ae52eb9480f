import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createPool } from 'mysql2'
import { afterEach, test } from 'vitest'
import type { UnguardedPool } from '../../../db/pool/tls-guard.ts'
import { createAuthority } from '../../support/certificates.ts'
import { type LoginEndpoint, startLoginEndpoint } from '../../support/login-endpoint.ts'

let endpoint: LoginEndpoint

afterEach(() => endpoint.close())

/** What `connector.ts` and `tls-guard.ts` rely on beyond what mysql2 documents: a new version must pass this first. */
test('mysql2 asks for a socket while it makes a connection, lists the connection at once, and has no time of its own', async () => {
  const certificate = createAuthority('somebody').issue({ names: ['localhost'] })
  endpoint = await startLoginEndpoint({ certificate })
  let socket: Socket | undefined
  const pool = createPool({
    user: 'somebody',
    ssl: { rejectUnauthorized: false },
    connectionLimit: 0,
    connectTimeout: 0,
    stream: () => {
      socket = connect(endpoint.port, '127.0.0.1')
      return socket
    },
  }) as unknown as UnguardedPool
  const { promise: failed, resolve } = Promise.withResolvers<unknown>()
  pool.getConnection(resolve)
  assert.ok(socket)
  const connection = pool._allConnections.get(pool._allConnections.length - 1)
  assert.equal(connection?.stream, socket)
  assert.equal((connection as unknown as { connectTimeout?: unknown }).connectTimeout, undefined)
  connection?.on('error', () => {})
  assert.equal(((await failed) as { errno?: number }).errno, 1045)
  // Also what came through TLS, whose socket is another object.
  assert.notEqual(connection?.stream, socket)
  assert.ok(socket.bytesRead > 500, `${socket.bytesRead} bytes`)
})

test('mysql2 begins TLS by a method of the connection, with the `ssl` of its own configuration, and sends nothing before', async () => {
  endpoint = await startLoginEndpoint({ certificate: createAuthority('somebody').issue({ names: ['localhost'] }) })
  const login = { host: '127.0.0.1', port: endpoint.port, user: 'somebody', password: 'secret', connectionLimit: 0 }
  const pool = createPool({ ...login, ssl: { rejectUnauthorized: false } }) as unknown as UnguardedPool
  const { promise: failed, resolve } = Promise.withResolvers<unknown>()
  pool.getConnection(resolve)
  pool.getConnection(() => {})
  const [first, second] = [0, 1].map((index) => pool._allConnections.get(index))
  assert.ok(first && second)
  second.stream.destroy()
  assert.notEqual(first.config, second.config)
  assert.equal(first.config.ssl, second.config.ssl)
  first.startTLS = (onSecure) => onSecure(new Error('refused'))
  assert.match(String(await failed), /refused/)
  while (endpoint.plain().length === 0) await nextTurn() // the request for TLS
  assert.equal(endpoint.encrypted().length, 0)
})
