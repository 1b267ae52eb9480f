import mysql, { type SqlValue } from 'mysql2'
import type { Flavour } from '../classify-error.ts'

/** Bytes of a text's packet before the text: the command, and on MySQL the empty list of attributes. */
const HEADER: Readonly<Record<Flavour, number>> = { mariadb: 1, mysql: 3 }
/** Most bytes that a UTF-16 unit takes, in UTF-8 or escaped, and that a value of fixed length does. */
const MOST_PER_UNIT = 3
const MOST_PER_VALUE = 40
const MAX_SHORT = 2n ** 64n

export interface StatementText {
  readonly sql: string
  readonly parameters: readonly unknown[]
}

/**
 * How many bytes the server would be sent, where that is more than it takes (`max_allowed_packet`); undefined where it takes
 * them, which the lengths tell in most cases. As text, so that one statement is refused alike however it goes.
 */
export function sizeBeyond(
  { sql, parameters }: StatementText,
  flavour: Flavour,
  limitBytes: number,
): number | undefined {
  let most = HEADER[flavour] + MOST_PER_UNIT * sql.length
  for (const parameter of parameters) most += mostOf(parameter)
  if (most < limitBytes) return undefined
  // The connection's zone: a date is as long in any.
  const bytes = HEADER[flavour] + Buffer.byteLength(mysql.format(sql, parameters as SqlValue[], false, 'Z')) // it takes what query() does
  return bytes < limitBytes ? undefined : bytes
}

function mostOf(parameter: unknown): number {
  if (typeof parameter === 'string') return MOST_PER_UNIT * parameter.length + MOST_PER_VALUE
  if (typeof parameter === 'bigint')
    return parameter < MAX_SHORT && parameter > -MAX_SHORT ? MOST_PER_VALUE : Number.POSITIVE_INFINITY
  if (typeof parameter !== 'object' || parameter === null) return MOST_PER_VALUE
  if (parameter instanceof Date) return MOST_PER_VALUE
  return Buffer.isBuffer(parameter) ? MOST_PER_UNIT * parameter.length + MOST_PER_VALUE : Number.POSITIVE_INFINITY
}
