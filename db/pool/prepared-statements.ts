import mysql from 'mysql2'
import type { MysqlConnection, MysqlStatement } from './mysql-connection.ts'

/** Most statements prepared on one connection: all sessions of a server share `max_prepared_stmt_count`, 16,382. */
export const MAX_PREPARED_STATEMENTS = 32

/** The server has lost its side of a statement: a DDL, a failover, a proxy. It was not run. */
const FORGOTTEN = new Set([1243, 1615]) // ER_UNKNOWN_STMT_HANDLER, ER_NEED_REPREPARE

/** What is known of a text on this connection. */
type Entry = MysqlStatement | 'seen' | 'unpreparable'

/**
 * The statements prepared on one connection. A text is prepared when it comes the second time, so that one that never
 * comes again costs no round trip; of too many the one unused for longest is closed.
 */
export class PreparedStatements {
  readonly #raw: MysqlConnection
  readonly #entries = new Map<string, Entry>()

  constructor(raw: MysqlConnection) {
    this.#raw = raw
  }

  /** The statement; `new` when it is to be prepared; undefined when it goes as text. */
  find(sql: string): MysqlStatement | 'new' | undefined {
    const entry = this.#entries.get(sql)
    if (entry === undefined) {
      this.#set(sql, 'seen')
      return undefined
    }
    if (entry === 'seen') return 'new'
    if (this.#entries.size === MAX_PREPARED_STATEMENTS) this.#set(sql, entry) // used last, so closed last
    return entry === 'unpreparable' ? undefined : entry
  }

  add(sql: string, statement: MysqlStatement | 'unpreparable'): void {
    this.#set(sql, statement)
  }

  /** Whether `error` says that the server no longer knows the statement; then it is prepared again later on. */
  forgetIfLost(sql: string, error: unknown): boolean {
    if (!FORGOTTEN.has((error as { errno?: unknown }).errno as number)) return false
    this.#entries.delete(sql)
    this.#raw.unprepare(sql)
    return true
  }

  /** The session was reset: the server has closed them all. */
  clear(): void {
    this.#entries.clear()
  }

  #set(sql: string, entry: Entry): void {
    this.#entries.delete(sql)
    const [oldest] = this.#entries.size === MAX_PREPARED_STATEMENTS ? this.#entries.keys() : []
    if (oldest !== undefined) {
      if (typeof this.#entries.get(oldest) === 'object') this.#raw.unprepare(oldest)
      this.#entries.delete(oldest)
    }
    this.#entries.set(sql, entry)
  }
}

/** From here on a DOUBLE, as which mysql2 sends numbers, turns into a text of another form: 1e15. */
const MAX_NUMBER = 1e15
const MAX_BIGINT = 2n ** 63n

/**
 * The parameters as a prepared statement takes them; undefined where there are none, or where one would mean something
 * else than in the text: a fraction is a DECIMAL there, and LIMIT takes no negative or broken numbers on MySQL only.
 */
export function toBoundParameters(parameters: readonly unknown[]): readonly unknown[] | undefined {
  if (parameters.length === 0) return undefined
  const bound = parameters.map(toBoundParameter)
  return bound.includes(undefined) ? undefined : bound
}

function toBoundParameter(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
      return Number.isInteger(value) && value >= 0 && value < MAX_NUMBER ? value : undefined
    case 'bigint':
      return value >= 0n && value < MAX_BIGINT ? mysql.TypedParameter.BIGINT(value) : undefined
    default:
      return value === null || Buffer.isBuffer(value) ? value : undefined
  }
}
