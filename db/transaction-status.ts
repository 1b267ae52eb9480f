/** SERVER_STATUS_IN_TRANS, a flag of every OK packet. */
const IN_TRANSACTION = 1

/** Whether the session was in a transaction after this answer; undefined for rows, with which the driver does not tell. */
export function isInTransaction(answer: unknown): boolean | undefined {
  // CALL: an array of rows for each SELECT, and then the procedure's own OK packet.
  const last = Array.isArray(answer) && Array.isArray(answer[0]) ? answer.at(-1) : answer
  const status = (last as { readonly serverStatus?: unknown } | undefined)?.serverStatus
  return typeof status === 'number' && !Array.isArray(last) ? (status & IN_TRANSACTION) !== 0 : undefined
}

const COMMENTS = String.raw`(?:\s|--\s.*\n|#.*\n|/\*(?!M?!)[^]*?\*/)*`
const WORDS =
  'select|insert|update|delete|replace|with|do|show|explain|describe|desc|savepoint|release|set\\s+transaction|(?:create|drop)\\s+temporary'
const HARMLESS = new RegExp(`^${COMMENTS}(?:${WORDS})\\b`, 'i')

/**
 * Whether this statement cannot commit, whatever becomes of it. An allowlist: all else might (DDL before it runs, CALL, BEGIN,
 * and what a comment hides that only one server reads).
 */
export function cannotCommit(sql: string): boolean {
  return HARMLESS.test(sql)
}
