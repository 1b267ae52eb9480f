import { createPool } from 'mysql2'
import { classifyConnectError } from '../classify-error.ts'
import type { Clock } from '../clock.ts'
import type { ConnectionOptions } from '../connection-options.ts'
import { type Credentials, toMysqlOptions } from '../mysql-options.ts'
import { setUpSession } from '../session.ts'
import { Connection } from './connection.ts'
import type { Link } from './link.ts'
import type { LoopTurn } from './loop-turn.ts'
import type { MysqlConnection, MysqlFactory } from './mysql-connection.ts'
import type { PoolEvent } from './stats.ts'
import { guardTls, type UnguardedPool } from './tls-guard.ts'
import { createTextsReader } from './tls-texts.ts'

/** Opens connections that are ready for callers. */
export type Connect = (onDeath: OnDeath) => Promise<Connection>

export interface ConnectorDependencies {
  readonly clock: Clock
  readonly turn: LoopTurn
  readonly link: Link
  readonly connectTimeoutMs: number
  readonly arePrepared: boolean
  readonly onEvent: (event: PoolEvent) => void
}

/**
 * Makes `Connect` out of mysql2 pools, used as factories only. Password and TLS texts are asked for each connection; a
 * change of them means a new mysql2 pool, since a pool's own cannot be changed.
 */
export function createConnector(options: ConnectionOptions, deps: ConnectorDependencies): Connect {
  const { clock, connectTimeoutMs, onEvent } = deps
  const readTexts = createTextsReader(options.tls, (cause) => onEvent({ name: 'tlsTextsUnusable', cause }))
  let factory: Factory | undefined

  const current = async () => {
    const [password, texts] = await Promise.all([options.password(), readTexts()])
    if (factory?.password !== password || factory.texts !== texts) {
      factory = { password, texts, pool: createFactory(options, { password, texts }, connectTimeoutMs) }
    }
    return factory
  }

  /** A secret store that hangs must not hold up the attempts that follow. */
  const currentInTime = () =>
    new Promise<Factory>((resolve, reject) => {
      const noPassword = () => reject(new Error(`no password in ${connectTimeoutMs} ms`))
      const cancel = clock.schedule(connectTimeoutMs, noPassword)
      current().then(resolve, reject).finally(cancel)
    })

  return async (onDeath) => {
    const used = await currentInTime()
    try {
      return await openConnection(used.pool, deps, onDeath)
    } catch (error) {
      if (classifyConnectError(error) !== 'credentials' || (await currentInTime()) === used) throw error
      // Not tried here and now: every attempt goes through the gate.
      throw new PasswordChangedError('the password was changed while it was used', { cause: error })
    }
  }
}

/** The server refused a password that is no longer the current one: the next attempt may succeed. */
class PasswordChangedError extends Error {
  override readonly name = 'PasswordChangedError'
}

/** A mysql2 pool and what it logs in with. */
interface Factory extends Credentials {
  readonly pool: MysqlFactory
}

type OnDeath = (connection: Connection) => void

function openConnection(pool: MysqlFactory, deps: ConnectorDependencies, onDeath: OnDeath): Promise<Connection> {
  const { clock, turn, link, connectTimeoutMs, arePrepared } = deps
  return new Promise((resolve, reject) => {
    let raw: MysqlConnection | undefined
    let isOver = false
    const fail = (error: unknown) => {
      if (isOver) return
      isOver = true
      cancel()
      reject(error)
      raw?.destroy()
      raw?.stream.destroy()
    }
    // As the driver marks its own.
    const tooLate = () =>
      Object.assign(new Error(`not connected in ${connectTimeoutMs} ms`), { code: 'ETIMEDOUT', fatal: true })
    const cancel = clock.schedule(connectTimeoutMs, () => fail(tooLate()))
    pool.getConnection((error, opened) => {
      if (error || !opened) return fail(error ?? new Error('mysql2 gave no connection'))
      raw = opened
      // Nobody else listens yet, and an 'error' without a listener ends the process.
      raw.on('error', fail)
      if (isOver) return opened.stream.destroy() // too late, but mysql2 got through
      const loggedInAtMs = clock.now()
      setUpSession(opened).then((session) => {
        if (isOver) return
        isOver = true
        cancel()
        link.record((clock.now() - loggedInAtMs) / SET_UP_ROUND_TRIPS, clock.now())
        resolve(new Connection(opened, session, { clock, turn, link, onDeath, arePrepared }))
      }, fail)
    })
  })
}

function createFactory(options: ConnectionOptions, credentials: Credentials, connectTimeoutMs: number): MysqlFactory {
  // Without a limit, since ours counts; what is typed here structurally is what mysql2 has.
  const pool = createPool({
    ...toMysqlOptions(options, credentials),
    connectionLimit: 0,
    connectTimeout: connectTimeoutMs,
    keepAliveInitialDelay: TCP_KEEPALIVE_MS,
    gracefulEnd: true,
  }) as unknown as UnguardedPool
  const { tls, host } = options
  return tls ? guardTls(pool, tls.verifyIdentity ? host : undefined) : pool
}

const SET_UP_ROUND_TRIPS = 2

/** Idle time before TCP asks by itself; the operating system's default is two hours. */
const TCP_KEEPALIVE_MS = 10_000
