import { connect, type Socket } from 'node:net'

/** Where a socket leads to. */
export interface SocketTarget {
  readonly host: string
  readonly port: number
  /** Of a Unix socket, instead of host and port. */
  readonly socketPath?: string
}

/** Idle time before TCP asks by itself, in ms; the operating system's default is two hours. */
const TCP_KEEPALIVE_MS = 10_000

/**
 * A socket of our own for mysql2: it shows when the server accepts, and each byte that it sends, also under TLS. The name
 * is resolved each time. Of several addresses one that has not accepted in half of `connectTimeoutMs` is given up for the
 * next: Node's own 250 ms would never let a slow link connect.
 */
export function openSocket({ host, port, socketPath }: SocketTarget, connectTimeoutMs: number): Socket {
  if (socketPath !== undefined) return connect(socketPath)
  return connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEPALIVE_MS,
    autoSelectFamilyAttemptTimeout: Math.max(10, Math.floor(connectTimeoutMs / 2)),
  })
}
