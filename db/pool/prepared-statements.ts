import mysql from 'mysql2'
import { asDriverError, type Flavour } from '../classify-error.ts'
import type { Preparable } from '../preparable.ts'
import type { ColumnDefinition, MysqlConnection, MysqlStatement } from './mysql-connection.ts'

/** Most statements prepared on one connection: all sessions of a server share `max_prepared_stmt_count`, 16,382. */
export const MAX_PREPARED_STATEMENTS = 32

/**
 * What EXECUTE answers where the text would run, or be refused in other words. Nothing of it was run: the server has lost
 * its side of the statement (a DDL, a failover, a proxy), or cannot convert a value to its column's character set, which may
 * have grown since it was prepared.
 */
const ONLY_PREPARED = new Set([1243, 1615, 3988]) // ER_UNKNOWN_STMT_HANDLER, ER_NEED_REPREPARE, ER_IMPOSSIBLE_STRING_CONVERSION

/**
 * What only says that a text cannot be prepared, or not now: ER_UNKNOWN_STMT_HANDLER, ER_NEED_REPREPARE, ER_UNSUPPORTED_PS, ER_MAX_PREPARED_STMT_COUNT_REACHED,
 * ER_PS_MANY_PARAM, and ER_PARSE_ERROR, which a placeholder can be the cause of (GROUP_CONCAT ... SEPARATOR ?).
 */
const UNPREPARABLE = new Set([1243, 1615, 1295, 1461, 1390, 1064])

/**
 * Whether this answer to PREPARE leaves the text to be tried. Any other is the statement's own: it may be the only word about
 * the end of a transaction (Galera aborts an idle one), and the text would then run outside of it.
 */
export function isUnpreparable(error: unknown): boolean {
  return UNPREPARABLE.has(asDriverError(error).errno as number)
}

/** A statement that the server has, and what it takes. */
export interface Prepared extends Preparable {
  readonly statement: MysqlStatement
  /** By the server's word; undefined where it takes each value as its literal. */
  readonly kinds: readonly ValueKind[] | undefined
}

/** What is known of a text on this connection: that it came once, how it may be prepared, that it is, or never will be. */
type Entry = 'seen' | Preparable | Prepared | 'unpreparable'

/**
 * The statements prepared on one connection. A text is prepared when it comes the second time, so that one that never
 * comes again costs no round trip; of too many the one unused for longest is closed.
 */
export class PreparedStatements {
  readonly #raw: MysqlConnection
  readonly #flavour: Flavour
  readonly #entries = new Map<string, Entry>()

  constructor(raw: MysqlConnection, flavour: Flavour) {
    this.#raw = raw
    this.#flavour = flavour
  }

  /**
   * The statement; `new` when it is to be prepared; undefined when it goes as text. `toPreparable` is asked once a text:
   * what it answers depends on nothing else.
   */
  find(
    sql: string,
    parameters: readonly unknown[],
    toPreparable: () => Preparable | undefined,
  ): Prepared | 'new' | undefined {
    const entry = this.#entries.get(sql)
    if (entry === undefined) {
      this.#set(sql, 'seen')
      return undefined
    }
    if (entry === 'seen') {
      const preparable = toPreparable()
      this.#set(sql, preparable ?? 'unpreparable')
      return preparable && 'new'
    }
    if (this.#entries.size === MAX_PREPARED_STATEMENTS) this.#set(sql, entry) // used last, so closed last
    if (entry === 'unpreparable') return undefined
    if (!isPrepared(entry)) return 'new' // the last one who tried has left
    return takes(entry, parameters) ? entry : undefined
  }

  /** Keeps what PREPARE has given; undefined when that is nothing, or these values have to go as text all the same. */
  add(sql: string, parameters: readonly unknown[], statement: MysqlStatement | undefined): Prepared | undefined {
    const preparable = this.#entries.get(sql)
    if (!statement || typeof preparable !== 'object') {
      this.refuse(sql)
      return undefined
    }
    // Only MySQL gives a parameter a type at PREPARE, keeps it, and converts each value to it: `name = ?` compares numbers
    // for ever after it was executed with one. MariaDB takes each value as it comes.
    const kinds = this.#flavour === 'mysql' ? statement.parameters.map(toValueKind) : undefined
    const entry: Prepared = { statement, integersAtEnd: preparable.integersAtEnd, kinds }
    this.#set(sql, entry)
    return takes(entry, parameters) ? entry : undefined
  }

  /** The text is never prepared again: the server does not, or its answer would be read as another. */
  refuse(sql: string): void {
    this.#close(sql)
    this.#set(sql, 'unpreparable')
  }

  /** Whether `error` is one that only the prepared statement has; then it is prepared again later on. */
  forgetIfLost(sql: string, error: unknown): boolean {
    if (!ONLY_PREPARED.has(asDriverError(error).errno as number)) return false
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
      this.#close(oldest)
      this.#entries.delete(oldest)
    }
    this.#entries.set(sql, entry)
  }

  #close(sql: string): void {
    const entry = this.#entries.get(sql)
    if (typeof entry === 'object' && isPrepared(entry)) this.#raw.unprepare(sql)
  }
}

function isPrepared(entry: Preparable | Prepared): entry is Prepared {
  return 'statement' in entry
}

/** What a parameter can be without any conversion at the server. */
type ValueKind = 'integer' | 'text' | 'bytes' | 'none'

const LONGLONG = 8
const BINARY = 63
/** BLOB and TEXT of all sizes, VARCHAR and CHAR; JSON, ENUM, SET and the times are converted. */
const isString = (type: number) => type >= 249 && type <= 254

function toValueKind({ columnType, characterSet }: ColumnDefinition): ValueKind {
  if (columnType === LONGLONG) return 'integer'
  if (!isString(columnType)) return 'none'
  return characterSet === BINARY ? 'bytes' : 'text'
}

function kindOf(value: unknown): ValueKind {
  if (typeof value === 'string') return 'text'
  return typeof value === 'object' ? 'bytes' : 'integer'
}

/** Whether these values, each of which `areBindable` has let through, mean the same in this statement as in text. */
function takes({ integersAtEnd, kinds }: Prepared, parameters: readonly unknown[]): boolean {
  const firstInteger = parameters.length - integersAtEnd
  for (let index = 0; index < parameters.length; index += 1) {
    const wanted = index >= firstInteger ? 'integer' : kinds?.[index]
    if (wanted !== undefined && !fits(parameters[index], wanted, index >= firstInteger)) return false
  }
  return true
}

function fits(value: unknown, wanted: ValueKind, isLimit: boolean): boolean {
  return value === null ? wanted !== 'none' && !isLimit : kindOf(value) === wanted
}

/** Values in rows that both protocols carry, or mysql2 reads, alike. Not: FLOAT, DOUBLE, DATE, DATETIME, TIME, GEOMETRY. */
const SAME_IN_BOTH = new Set([
  1, // TINY
  2, // SHORT
  3, // LONG
  6, // NULL
  7, // TIMESTAMP
  LONGLONG,
  9, // INT24
  13, // YEAR
  15, // VARCHAR
  16, // BIT
  245, // JSON
  246, // NEWDECIMAL
  247, // ENUM
  248, // SET
  249, // TINY_BLOB
  250, // MEDIUM_BLOB
  251, // LONG_BLOB
  252, // BLOB
  253, // VAR_STRING
  254, // STRING
])
const ZEROFILL = 64

/** Whether rows of these columns are the same values, whichever protocol brought them. */
export function areSameInBoth(columns: readonly ColumnDefinition[]): boolean {
  return columns.every(({ columnType, flags }) => SAME_IN_BOTH.has(columnType) && !(flags & ZEROFILL))
}

const MAX_BIGINT = 2n ** 63n

/**
 * Whether a prepared statement can take these values: there are some, and none would be another one than in the text: a
 * fraction is a DECIMAL there, a negative number an expression.
 */
export function areBindable(parameters: readonly unknown[]): boolean {
  return parameters.length > 0 && parameters.every(isBindable)
}

function isBindable(value: unknown): boolean {
  switch (typeof value) {
    case 'string':
      return true
    case 'number':
      return Number.isSafeInteger(value) && value >= 0
    case 'bigint':
      return value >= 0n && value < MAX_BIGINT
    default:
      return value === null || Buffer.isBuffer(value)
  }
}

/**
 * Bindable values as mysql2 must be given them. By itself it sends an integer as DOUBLE, which is another value beside a
 * DECIMAL or a string; but not to LIMIT and OFFSET, and there its own way is cheaper: a typed one costs a point read 5 to
 * 10 % of its CPU.
 */
export function bind(parameters: readonly unknown[], { integersAtEnd }: Preparable): readonly unknown[] {
  const firstInteger = parameters.length - integersAtEnd
  return parameters.map((value, index) =>
    typeof value === 'bigint' || (typeof value === 'number' && index < firstInteger)
      ? mysql.TypedParameter.BIGINT(value)
      : value,
  )
}
