import { setTimeout as sleep } from 'node:timers/promises'
import { createConnection } from 'mysql2/promise'
import type { ConnectionOptions } from '../connection-options.ts'

const pollMs = 20

/**
 * Resolves once a login and a statement succeed: a listening port is not enough, for a proxy or a starting server accepts
 * connections that it then drops.
 * @throws Error when `signal` aborts first, with the last failure as `cause`
 */
export async function waitUntilReady(options: ConnectionOptions, signal: AbortSignal): Promise<void> {
  let lastFailure: unknown
  while (!signal.aborted) {
    try {
      return await logIn(options)
    } catch (error) {
      lastFailure = error
      await sleep(pollMs)
    }
  }
  const what = lastFailure instanceof Error ? `: ${lastFailure.message}` : ''
  throw new Error(`the server at ${options.host}:${options.port} is not ready${what}`, { cause: lastFailure })
}

async function logIn(options: ConnectionOptions): Promise<void> {
  const { host, port, user, database } = options
  const password = await options.password()
  const connection = await createConnection({ host, port, user, password, database, connectTimeout: 1_000 })
  try {
    await connection.query('SELECT 1')
  } finally {
    connection.destroy()
  }
}
