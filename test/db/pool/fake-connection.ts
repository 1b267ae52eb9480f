import type { Clock } from '../../../db/clock.ts'
import { Connection } from '../../../db/pool/connection.ts'
import type { AttemptHooks, Connector } from '../../../db/pool/connector.ts'
import { Link } from '../../../db/pool/link.ts'
import { LoopTurn } from '../../../db/pool/loop-turn.ts'
import type { ColumnDefinition, MysqlConnection, MysqlStatement } from '../../../db/pool/mysql-connection.ts'

/** What stands for mysql2's connection: its server answers every statement and ping at once, as long as it is told to. */
class FakeMysqlConnection implements MysqlConnection {
  readonly threadId: number
  isSocketClosed = false
  readonly stream = {
    bytesRead: 0,
    on: () => {},
    destroy: () => {
      this.isSocketClosed = true
    },
  }
  readonly statements: string[] = []
  /** What the server has against the next statements. */
  readonly prepareErrors: object[] = []
  readonly executeErrors: object[] = []
  /** Of the rows that prepared statements answer with. */
  columns: readonly ColumnDefinition[] = []
  isAnswering = true
  #listeners: ((error?: unknown) => void)[] = []

  constructor(threadId: number) {
    this.threadId = threadId
  }

  query(sql: string, _parameters: readonly unknown[], callback?: (error: unknown, result?: unknown) => void): never {
    this.statements.push(sql)
    const rows = sql.startsWith('SELECT version()') ? [{ version: '9.7.0', isReadOnly: 0, maxConnections: 151 }] : []
    if (this.isAnswering) setImmediate(() => callback?.(null, rows))
    return undefined as never // only streams use what mysql2 returns
  }

  prepare(sql: string, callback: (error: unknown, statement?: MysqlStatement) => void): void {
    this.statements.push(`PREPARE ${sql}`)
    const execute: MysqlStatement['execute'] = (_bound, done) => {
      this.statements.push(`EXECUTE ${sql}`)
      if (this.isAnswering) setImmediate(done, this.executeErrors.shift() ?? null, [], this.columns)
    }
    const error = this.prepareErrors.shift()
    const parameters = [...sql.matchAll(/\?/g)].map(() => ({ columnType: 253, characterSet: 255, flags: 0 })) // texts
    if (this.isAnswering) setImmediate(callback, error ?? null, error ? undefined : { execute, parameters })
  }

  unprepare(sql: string): void {
    this.statements.push(`CLOSE ${sql}`)
  }

  ping(callback: (error: unknown) => void): void {
    if (this.isAnswering) setImmediate(callback, null)
  }

  reset(callback: (error: unknown) => void): void {
    this.ping(callback)
  }

  destroy(): void {}

  end(): void {}

  on(_event: 'error' | 'end', listener: (error?: unknown) => void): void {
    this.#listeners.push(listener)
  }

  /** What mysql2 does when the server closes the socket. */
  lose(): void {
    for (const listener of this.#listeners) listener(new Error('lost'))
  }
}

/** Opens connections to a server that is not there: once `isReachable`, they are numbered in the order they come. */
export function createFakeConnector(clock: Clock, turn = new LoopTurn(), link = new Link()) {
  const raws: FakeMysqlConnection[] = []
  const server = { isReachable: Promise.resolve() }
  const connect = async ({ onDeath }: AttemptHooks) => {
    await server.isReachable
    const raw = new FakeMysqlConnection(raws.length + 1)
    raws.push(raw)
    const session = {
      id: raw.threadId,
      host: `127.0.0.1:${raw.threadId}`,
      server: 'fake:3306',
      flavour: 'mysql',
      version: '9.7.0',
      waitTimeoutMs: 28_800_000,
      maxPacketBytes: 67_108_864,
      setup: 'SET autocommit = 1',
      canBeReset: true,
      isBehindProxy: false,
    } as const
    return new Connection(raw, session, { clock, turn, link, onDeath, arePrepared: true })
  }
  const connector: Connector = {
    connect: (hooks) => ({ connection: connect(hooks), abandon: () => {} }),
    hasNewCredentials: async () => false,
  }
  return { connector, raws, turn, link, server }
}
