import type { Socket } from 'node:net'
import { createPool } from 'mysql2'
import { classifyConnectError } from '../classify-error.ts'
import type { Clock } from '../clock.ts'
import type { ConnectionOptions } from '../connection-options.ts'
import { type Credentials, toMysqlOptions } from '../mysql-options.ts'
import { setUpSession } from '../session.ts'
import { type AttemptLimits, AttemptWatch } from './attempt-watch.ts'
import { Connection } from './connection.ts'
import { expectGreeting } from './greeting.ts'
import type { Link } from './link.ts'
import type { LoopTurn } from './loop-turn.ts'
import type { MysqlConnection, MysqlFactory } from './mysql-connection.ts'
import { openSocket } from './socket.ts'
import type { PoolEvent } from './stats.ts'
import { guardTls, type UnguardedPool } from './tls-guard.ts'
import { createTextsReader } from './tls-texts.ts'

/** Opens connections that are ready for callers. */
export interface Connector {
  connect(hooks: AttemptHooks): Attempt
  /** Whether password or TLS texts are others than those that were refused last. Rejects when they cannot be had. */
  hasNewCredentials(): Promise<boolean>
}

/** Who is told of what happens to an attempt, and later to its connection. */
export interface AttemptHooks {
  readonly onDeath: (connection: Connection) => void
  /** The server has said nothing for a second; the attempt goes on. */
  readonly onSilent?: () => void
  readonly onHeard?: () => void
  /** Whether somebody waits for it without a timer of its own: then the attempt keeps the process alive. Default false. */
  readonly isAwaited?: boolean
}

/** One attempt to connect. */
export interface Attempt {
  /** Ready for callers. Rejects with the driver's error, or when its time is up. */
  readonly connection: Promise<Connection>
  /** Ends it here and now. The server may count that against us: only for one that has long been silent. */
  abandon(): void
}

export interface ConnectorDependencies {
  readonly clock: Clock
  readonly turn: LoopTurn
  readonly link: Link
  readonly limits: AttemptLimits & {
    /** Longest wait for the password, in ms. */
    readonly passwordTimeoutMs: number
  }
  readonly arePrepared: boolean
  /** Whether integers beyond 2^53 come as strings, not rounded. */
  readonly areIntegersExact: boolean
  /** The statement that each session is set up with. */
  readonly sessionSetup: string
  readonly onEvent: (event: PoolEvent) => void
}

/**
 * Makes a `Connector` out of mysql2 pools, used as factories only. Password and TLS texts are asked for each connection; a
 * change of them means a new mysql2 pool, since a pool's own cannot be changed.
 */
export function createConnector(options: ConnectionOptions, deps: ConnectorDependencies): Connector {
  const { clock, limits, onEvent } = deps
  const readTexts = createTextsReader(options.tls, (cause) => onEvent({ name: 'tlsTextsUnusable', cause }))
  let factory: Factory | undefined
  let refused: Factory | undefined

  const current = async () => {
    const [password, texts] = await Promise.all([options.password(), readTexts()])
    if (factory?.password !== password || factory.texts !== texts) {
      factory = createFactory(options, { password, texts }, deps)
    }
    return factory
  }

  /** A secret store that hangs must not hold up the attempts that follow. */
  const currentInTime = (isAwaited: boolean) =>
    new Promise<Factory>((resolve, reject) => {
      const noPassword = () => reject(new Error(`no password in ${limits.passwordTimeoutMs} ms`))
      const cancel = clock.schedule(limits.passwordTimeoutMs, noPassword, { isUpkeep: !isAwaited })
      current().then(resolve, reject).finally(cancel)
    })

  async function open(attempt: Opening, isAwaited: boolean): Promise<Connection> {
    const used = await currentInTime(isAwaited)
    try {
      return await attempt.open(used)
    } catch (error) {
      if (classifyConnectError(error) !== 'credentials') throw error
      refused = used
      if ((await currentInTime(isAwaited)) === used) throw error
      // Not tried here and now: every attempt goes through the gate.
      throw new PasswordChangedError('the password was changed while it was used', { cause: error })
    }
  }

  return {
    connect(hooks) {
      const attempt = new Opening(deps, hooks)
      return {
        connection: open(attempt, hooks.isAwaited ?? false).finally(() => attempt.end(new Error('over'))),
        abandon: () => attempt.end(new Error('given up')),
      }
    },
    hasNewCredentials: async () => (await currentInTime(false)) !== refused,
  }
}

/** The server refused a password that is no longer the current one: the next attempt may succeed. */
class PasswordChangedError extends Error {
  override readonly name = 'PasswordChangedError'
}

/** Logs in with these credentials. */
interface Factory extends Credentials {
  /** Returns the socket over which the connection comes. */
  open(callback: Parameters<MysqlFactory['getConnection']>[0]): Socket
}

function createFactory(options: ConnectionOptions, credentials: Credentials, deps: ConnectorDependencies): Factory {
  const { connectTimeoutMs } = deps.limits
  const { tls, host } = options
  let socket: Socket | undefined
  const unguarded = createPool({
    ...toMysqlOptions(options, credentials),
    supportBigNumbers: deps.areIntegersExact, // beyond 2^53 then strings, in both protocols
    connectionLimit: 0, // none, since ours counts
    connectTimeout: 0, // none: `AttemptWatch` has the time
    gracefulEnd: true,
    stream: () => {
      socket = openSocket(options, connectTimeoutMs)
      expectGreeting(socket)
      return socket
    },
  }) as unknown as UnguardedPool // typed structurally is what mysql2 has
  const pool: MysqlFactory = tls ? guardTls(unguarded, tls.verifyIdentity ? host : undefined) : unguarded
  return {
    ...credentials,
    open(callback) {
      socket = undefined
      pool.getConnection(callback)
      // mysql2 asks for it while it makes the connection, which a pool without a limit does at once.
      if (!socket) throw new Error('mysql2 has not asked for a socket')
      // mysql2 listens once, and a second 'error' without a listener ends the process: of TLS over a closed socket.
      unguarded._allConnections.get(unguarded._allConnections.length - 1)?.on('error', () => {})
      return socket
    },
  }
}

const SET_UP_ROUND_TRIPS = 2

/** An attempt on its way, and what ends it. */
class Opening {
  readonly #deps: ConnectorDependencies
  readonly #hooks: AttemptHooks
  readonly #watch: AttemptWatch
  readonly #ended = Promise.withResolvers<never>()
  #socket: Socket | undefined
  #raw: MysqlConnection | undefined
  #isOver = false

  constructor(deps: ConnectorDependencies, hooks: AttemptHooks) {
    const { clock, turn, limits } = deps
    const { onSilent = () => {}, onHeard = () => {} } = hooks
    this.#deps = deps
    this.#hooks = hooks
    this.#watch = new AttemptWatch(limits, { clock, turn, onSilent, onHeard, onTimeout: (error) => this.end(error) })
    this.#ended.promise.catch(() => {}) // nobody may be waiting for it
  }

  /** Opens it with the password that was found. */
  open(factory: Factory): Promise<Connection> {
    if (this.#isOver) return this.#ended.promise
    return Promise.race([this.#ended.promise, this.#logIn(factory).then((raw) => this.#setUp(raw))])
  }

  /** Does nothing to one that has become a connection. */
  end(error: unknown): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#watch.stop()
    this.#ended.reject(error)
    this.#raw?.destroy()
    this.#raw?.stream.destroy()
    this.#socket?.destroy()
  }

  #logIn(factory: Factory): Promise<MysqlConnection> {
    return new Promise((resolve, reject) => {
      this.#socket = factory.open((error, raw) => {
        if (error || !raw) return reject(error ?? new Error('mysql2 gave no connection'))
        // Nobody else listens yet, and an 'error' without a listener ends the process.
        raw.on('error', (lost) => this.end(lost))
        if (this.#isOver)
          raw.stream.destroy() // too late, but mysql2 got through
        else resolve(raw)
      })
      if (!this.#hooks.isAwaited) this.#socket.unref()
      this.#watch.watch(this.#socket)
    })
  }

  async #setUp(raw: MysqlConnection): Promise<Connection> {
    const { clock, turn, link, arePrepared, sessionSetup } = this.#deps
    this.#raw = raw
    const loggedInAtMs = clock.now()
    const session = await setUpSession(raw, sessionSetup)
    if (this.#isOver) return await this.#ended.promise
    this.#isOver = true
    this.#watch.stop()
    this.#socket?.ref()
    link.record((clock.now() - loggedInAtMs) / SET_UP_ROUND_TRIPS, clock.now())
    return new Connection(raw, session, { clock, turn, link, onDeath: this.#hooks.onDeath, arePrepared })
  }
}
