import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import type { Certificate } from './certificates.ts'

export interface LoginEndpointOptions {
  /** With it, the endpoint offers TLS. */
  readonly certificate?: Certificate
  /** What it sends first instead of a greeting. */
  readonly firstBytes?: Buffer
  /** What somebody in between puts after the greeting. Default: nothing. */
  readonly injected?: Buffer
  /** The packet with which it answers credentials; sequence number and length are added. Default: 1045. */
  readonly answer?: Buffer
  /** Where it listens. Default 127.0.0.1. */
  readonly host?: string
}

export interface LoginEndpoint {
  readonly port: number
  /** All that clients sent in clear text, and what came through TLS. */
  readonly plain: () => Buffer
  readonly encrypted: () => Buffer
  /** The names that clients asked for in TLS. */
  readonly serverNames: readonly (string | false)[]
  /** How many sessions of TLS were resumed. */
  readonly resumed: () => number
  readonly close: () => Promise<void>
}

/**
 * What a client would trust its password to, up to the answer to its login, and no further. For what no server can be made
 * to do: to keep what it was sent, to ask for a password in clear text, to speak another protocol.
 */
export async function startLoginEndpoint(options: LoginEndpointOptions = {}): Promise<LoginEndpoint> {
  const plain: Buffer[] = []
  const encrypted: Buffer[] = []
  const serverNames: (string | false)[] = []
  let resumed = 0
  // One for all connections: it has the key of the tickets.
  const secureContext = options.certificate && createSecureContext(options.certificate)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}) // its client has left, as it should
    const { injected = Buffer.alloc(0), certificate } = options
    socket.write(options.firstBytes ?? Buffer.concat([packet(0, greeting(certificate !== undefined)), injected]))
    if (secureContext) receiveTls(socket, secureContext)
    else answerFirst(socket, plain)
  })

  function receiveTls(socket: Socket, context: SecureContext): void {
    socket.once('data', (bytes) => {
      plain.push(bytes.subarray(0, SSL_REQUEST_BYTES))
      // TLS may have begun in the same segment.
      socket.pause()
      socket.unshift(bytes.subarray(SSL_REQUEST_BYTES))
      const secure = new TLSSocket(socket, { isServer: true, secureContext: context })
      secure.on('error', () => {})
      secure.on('secure', () => {
        serverNames.push(secure.servername as string | false) // typed for clients only
        if (secure.isSessionReused()) resumed += 1
      })
      answerFirst(secure, encrypted)
    })
  }

  function answerFirst(socket: Socket, received: Buffer[]): void {
    socket.on('data', (bytes) => received.push(bytes))
    socket.once('data', (response) => socket.write(packet((response[3] ?? 0) + 1, options.answer ?? accessDenied)))
  }

  server.listen(0, options.host ?? '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    plain: () => Buffer.concat(plain),
    encrypted: () => Buffer.concat(encrypted),
    serverNames,
    resumed: () => resumed,
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** With its header. */
const SSL_REQUEST_BYTES = 36

function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUIntLE(payload.length, 0, 3)
  header[3] = sequence
  return Buffer.concat([header, payload])
}

/** Protocol::HandshakeV10, with an empty challenge. */
function greeting(hasTls: boolean): Buffer {
  const SSL = 0x800
  // Of the protocol of 4.1, with a schema and plugins.
  const capabilities = 0x0008_a209 | (hasTls ? SSL : 0)
  const fixed = Buffer.alloc(32)
  fixed.writeUInt32LE(1, 0) // session id
  fixed.writeUInt16LE(capabilities & 0xffff, 13)
  fixed[15] = 45
  fixed.writeUInt16LE(2, 16)
  fixed.writeUInt16LE(capabilities >>> 16, 18)
  fixed[20] = 21
  return Buffer.concat([
    Buffer.from('\x0a9.9.9-endpoint\0'),
    fixed.subarray(0, 31),
    Buffer.alloc(13),
    Buffer.from('mysql_native_password\0'),
  ])
}

/** ERR_Packet. */
function errorPayload(errno: number, state: string, message: string): Buffer {
  return Buffer.concat([Buffer.from([0xff, errno & 0xff, errno >> 8]), Buffer.from(`#${state}${message}`)])
}

const accessDenied = errorPayload(1045, '28000', "Access denied for user 'somebody'")

/** AuthSwitchRequest. */
export function authSwitchPayload(plugin: string): Buffer {
  return Buffer.concat([Buffer.from([0xfe]), Buffer.from(`${plugin}\0`), Buffer.alloc(21)])
}
